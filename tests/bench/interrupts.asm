; Firmware image of 64 KiB for the interrupt part of the bench: no operating system, so that every instruction
; counts. It prints a letter on COM1 where a part begins (capital) and ends (small):
;   A  a loop alone             B  a million IPIs to itself, same loop
;   C  10 kHz local timer       D  a line raised by COM2's transmitter, through the I/O APIC
; then '.' at each hundredth tick of the 10 kHz timer, for ever. Other processors spin in real mode.
; nasm -f bin

ROUNDS equ 1000000
TICKS equ 2000
RAISES equ 100000
TICK_NS equ 100000

LAPIC equ 0xFEE00000
IOAPIC equ 0xFEC00000
COM1 equ 0x3F8
COM2 equ 0x2F8
IDT equ 0x1000
COUNT equ 0x2000
STACK equ 0x8000

TIMER_VECTOR equ 0x40
IPI_VECTOR equ 0x41
LINE_VECTOR equ 0x42
DOT_VECTOR equ 0x43
SPURIOUS_VECTOR equ 0xFF

org 0xF0000
bits 16
other_processor:                ; SIPI vector 0xF0
  jmp other_processor

start:
  cli
  o32 lgdt [cs:gdt_pointer - 0xF0000]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 8:protected

align 8
gdt:
  dq 0
  dq 0x00CF9B000000FFFF
  dq 0x00CF93000000FFFF
gdt_pointer:
  dw 23
  dd gdt

bits 32
%macro letter 1
  mov al, %1
  mov dx, COM1
  out dx, al
%endmacro

; gate vector, handler
%macro gate 2
  mov eax, %2
  mov word [IDT + 8 * %1], ax
  mov word [IDT + 8 * %1 + 2], 8
  mov word [IDT + 8 * %1 + 4], 0x8E00
  shr eax, 16
  mov word [IDT + 8 * %1 + 6], ax
%endmacro

protected:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, STACK
  gate TIMER_VECTOR, on_tick
  gate IPI_VECTOR, on_tick
  gate LINE_VECTOR, on_line
  gate DOT_VECTOR, on_dot
  gate SPURIOUS_VECTOR, on_spurious
  lidt [idt_pointer]
  mov dword [LAPIC + 0xF0], 0x100 | SPURIOUS_VECTOR
  mov dword [LAPIC + 0x310], 0
  mov dword [LAPIC + 0x300], 0xC4500     ; INIT to all others
  mov dword [LAPIC + 0x300], 0xC46F0     ; SIPI to all others: page 0xF0
  sti

  letter 'A'
  mov ecx, ROUNDS
.alone:
  mov dword [COUNT], 0x44000 | IPI_VECTOR
  dec ecx
  jnz .alone
  letter 'a'

  mov dword [COUNT], 0
  letter 'B'
  mov ecx, ROUNDS
.ipi:
  mov dword [LAPIC + 0x300], 0x44000 | IPI_VECTOR
  dec ecx
  jnz .ipi
  letter 'b'
  cmp dword [COUNT], ROUNDS
  jne failed

  mov dword [COUNT], 0
  mov dword [LAPIC + 0x3E0], 0xB         ; divide by 1
  mov dword [LAPIC + 0x320], 0x20000 | TIMER_VECTOR
  letter 'C'
  mov dword [LAPIC + 0x380], TICK_NS
.ticks:
  cmp dword [COUNT], TICKS
  jb .ticks
  mov dword [LAPIC + 0x380], 0
  letter 'c'

  mov dword [IOAPIC], 0x10 + 2 * 3 + 1
  mov dword [IOAPIC + 0x10], 0
  mov dword [IOAPIC], 0x10 + 2 * 3
  mov dword [IOAPIC + 0x10], LINE_VECTOR
  mov dx, COM2 + 4
  mov al, 8                              ; OUT2 lets the interrupt out
  out dx, al
  mov dword [COUNT], 0
  letter 'D'
  mov ecx, RAISES
  mov dx, COM2 + 1
.line:
  mov al, 2                              ; transmitter empty: raises at once
  out dx, al
  dec ecx
  jnz .line
  letter 'd'
  cmp dword [COUNT], RAISES
  jne failed

  mov dword [COUNT], 0
  mov dword [LAPIC + 0x320], 0x20000 | DOT_VECTOR
  mov dword [LAPIC + 0x380], TICK_NS
.dots:
  inc edi
  jmp .dots

failed:
  letter '!'
  cli
  hlt

on_tick:
  inc dword [COUNT]
  mov dword [LAPIC + 0xB0], 0
  iret

on_line:
  xor eax, eax
  out dx, al
  inc dword [COUNT]
  mov dword [LAPIC + 0xB0], 0
  iret

on_dot:
  inc dword [COUNT]
  cmp dword [COUNT], 100
  jb .quiet
  mov dword [COUNT], 0
  push eax
  push edx
  letter '.'
  pop edx
  pop eax
.quiet:
  mov dword [LAPIC + 0xB0], 0
on_spurious:
  iret

idt_pointer:
  dw 8 * 256 - 1
  dd IDT

times 0xFFF0 - ($ - $$) db 0
bits 16
  jmp 0xF000:start - 0xF0000
times 0x10000 - ($ - $$) db 0
