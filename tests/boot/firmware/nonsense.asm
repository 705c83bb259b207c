; Firmware image of 64 KiB: a guest that programs nonsense. CASE chooses what; a case that a machine survives ends at
; isa-debug-exit (port 0xF4) with the value 8, 9 when the machine did what hardware does not.
;   nasm -f bin -D CASE=n
%define EOI_WITHOUT_INTERRUPT 1
%define IPI_TO_NO_ONE 2
%define ILLEGAL_VECTORS 3
%define BARS_ANYWHERE 4
%define IDT_OUTSIDE_MEMORY 5
%define STORM_WHILE_HALTED 6
%define STORM_OF_INTERRUPTS 7
%define STORM_OF_LEVELS 8
%define RESERVED_BITS 9

LAPIC equ 0xFEE00000
IOAPIC equ 0xFEC00000
HPET equ 0xFED00000
IDT equ 0x1000
COUNT equ 0x2000
VECTOR equ 0x40

org 0xF0000
bits 16
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
idt_pointer:
  dw 8 * 256 - 1
  dd IDT
far_idt:
  dw 8 * 256 - 1
  dd 0xE0000000

bits 32
%macro exit 1
  mov al, %1
  out 0xF4, al
  cli
  hlt
%endmacro

; register, value of the local APIC
%macro apic 2
  mov dword [LAPIC + %1], %2
%endmacro

; port, value
%macro outb 2
  mov dx, %1
  mov al, %2
  out dx, al
%endmacro

protected:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, 0x8000
  mov edi, IDT
  mov ecx, 256
.gates:
  mov eax, on_interrupt
  mov [edi], ax
  mov word [edi + 2], 8
  mov ax, 0x8E00
  mov [edi + 4], eax
  add edi, 8
  loop .gates
  lidt [idt_pointer]
  apic 0xF0, 0x1FF

%if CASE == EOI_WITHOUT_INTERRUPT
  mov ecx, 1000
.eoi:
  apic 0xB0, 0
  outb 0x20, 0x20
  outb 0xA0, 0x20
  outb 0x20, 0x67
  mov dword [IOAPIC + 0x40], ecx
  loop .eoi
  exit 8

%elif CASE == IPI_TO_NO_ONE
  mov ebx, 0xFE000000                    ; 0xFF would be everybody
.destination:
  apic 0x310, ebx
  apic 0x300, VECTOR                     ; fixed, to an id that nobody has
  apic 0x300, 0x100 | VECTOR             ; lowest priority
  apic 0x300, 0x800 | VECTOR             ; logical
  apic 0x300, 0x500                      ; INIT
  apic 0x300, 0x6F0                      ; SIPI
  sub ebx, 0x01000000
  cmp ebx, 0x01000000                    ; 0 is this processor
  jne .destination
.delivered:
  test dword [LAPIC + 0x300], 0x1000
  jnz .delivered
  exit 8

%elif CASE == ILLEGAL_VECTORS
  apic 0x280, 0
  apic 0x300, 0x40005                    ; to itself, vector 5
  apic 0x280, 0
  test dword [LAPIC + 0x280], 0x20       ; send illegal vector
  jz .wrong
  apic 0x320, 7                          ; timer entry, vector 7
  apic 0x380, 1000
  mov ecx, 10000
.wait:
  pause
  loop .wait
  apic 0x280, 0
  test dword [LAPIC + 0x280], 0x40       ; received illegal vector
  jz .wrong
  exit 8
.wrong:
  exit 9

%elif CASE == BARS_ANYWHERE
  ; every BAR of every function at every place that is somebody else's, decoded; then a look there
  mov ebp, places
.place:
  mov ebx, 0x80000000
.function:
  mov esi, 0x10
.bar:
  lea eax, [ebx + esi]
  mov dx, 0xCF8
  out dx, eax
  mov eax, [ebp]
  mov dx, 0xCFC
  out dx, eax
  add esi, 4
  cmp esi, 0x34
  jne .bar
  lea eax, [ebx + 4]
  mov dx, 0xCF8
  out dx, eax
  mov eax, 7
  mov dx, 0xCFC
  out dx, eax
  add ebx, 0x100
  cmp ebx, 0x80004000
  jne .function
  mov edi, [ebp]
  and edi, ~15
  mov eax, [edi]
  mov [edi], eax
  add ebp, 4
  cmp ebp, places_end
  jne .place
  exit 8
places:
  dd 0, 0xFEE00000, 0xFEC00000, 0xFED00000, 0xFFFFF000, 0xA0000, 0xFFFF0000, 0x100000, 0xF4, 0xFFFFFFFF, 0xE0000000
places_end:

%elif CASE == IDT_OUTSIDE_MEMORY
  lidt [far_idt]
  int VECTOR                             ; triple fault
  exit 9

%elif CASE == STORM_WHILE_HALTED
  outb 0x21, 0                           ; all timers as fast as they can, nobody listens
  outb 0x43, 0x34
  outb 0x40, 2
  outb 0x40, 0
  apic 0x3E0, 0xB
  apic 0x320, 0x20000 | VECTOR
  apic 0x380, 1
  mov dword [HPET + 0x100], 0x4C
  mov dword [HPET + 0x108], 1
  mov dword [HPET + 0x108], 1
  mov dword [HPET + 0x10], 1
  cli
  hlt

%elif CASE == STORM_OF_INTERRUPTS
  mov dword [COUNT], 0
  apic 0x3E0, 0xB
  apic 0x320, 0x20000 | VECTOR
  apic 0x380, 1
  sti
  jmp $                                  ; no instruction of this loop need ever run

%elif CASE == STORM_OF_LEVELS
  mov dword [COUNT], 0
  mov dword [IOAPIC], 0x10 + 2 * 4       ; COM1's line as a level, low active: asserted for ever
  mov dword [IOAPIC + 0x10], 0xA000 | VECTOR
  sti
  jmp $

%elif CASE == RESERVED_BITS
  mov ecx, LAPIC
.apic:
  mov dword [ecx], 0xFFFFFFFF
  mov eax, [ecx]
  add ecx, 4
  cmp ecx, LAPIC + 0x1000
  jne .apic
  mov ecx, 0x100
.ioapic:
  dec ecx
  mov [IOAPIC], ecx
  mov dword [IOAPIC + 0x10], 0xFFFFFFFF
  test ecx, ecx
  jnz .ioapic
  mov ecx, HPET
.hpet:
  mov dword [ecx], 0xFFFFFFFF
  add ecx, 4
  cmp ecx, HPET + 0x400
  jne .hpet
  exit 8
%endif

on_interrupt:
  inc dword [COUNT]
  cmp dword [COUNT], 100000
  je .enough
  apic 0xB0, 0
  iret
.enough:
  exit 8

times 0xFFF0 - ($ - $$) db 0
bits 16
  jmp 0xF000:(start - 0xF0000)
times 0x10000 - ($ - $$) db 0
