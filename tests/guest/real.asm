; mode: real
; Real mode: interrupts through the vector table, faults without error code, limits and wraps, entering
; and leaving
; protected mode, unreal mode.
%include "check.inc"
bits 16
org 1000h

%macro VECTOR 2
  mov word [(%1) * 4], %2
  mov word [(%1) * 4 + 2], 0
%endmacro

; RFAULTS vector, instruction
%macro RFAULTS 2+
  mov word [(%1) * 4], handler
  mov word [expected_rip], %%here
  mov word [expected_resume], %%after
  mov [saved_sp], sp
%%here:
  %2
  FAIL
%%after:
  mov word [(%1) * 4], unexpected
%endmacro

start:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 7000h
  mov cx, 32
  xor di, di
.fill:
  mov word [di], unexpected
  mov word [di + 2], 0
  add di, 4
  loop .fill

  xor cx, cx
  xor dx, dx
  RFAULTS 0, div cx
  RFAULTS 6, ud2
  RFAULTS 13, mov ax, [0FFFFh]
  RFAULTS 13, mov eax, [0FFFDh]
  mov al, [0FFFFh]
  RFAULTS 6, lldt ax
  RFAULTS 6, lar ax, ax
  RFAULTS 6, arpl ax, ax
  RFAULTS 13, jmp dword 0:10000h
  RFAULTS 13, db 66h, 0E8h, 0, 0, 1, 0
  mov bp, 0FFFFh
  RFAULTS 12, mov ax, [bp]

  ; INT n: flags, CS, IP on the stack; IF and TF cleared; IRET restores.
  VECTOR 40h, int40
  sti
  stc
  int 40h
after_int:
  jnc bad
  pushf
  pop ax
  test ah, 2
  jz bad
  cli
  movzx edx, sp
  CHECK_EQ edx, 7000h

  ; A limit on the vector table.
  lidt [short_idt]
  RFAULTS 13, int 40h
  lidt [full_idt]

  ; SP wraps from 0 to FFFEh.
  mov ax, 3000h
  mov ss, ax
  xor sp, sp
  push word 1234h
  movzx edx, sp
  CHECK_EQ edx, 0FFFEh
  cmp word [ss:0FFFEh], 1234h
  jne bad
  xor ax, ax
  mov ss, ax
  mov sp, 7000h

  ; Strings wrap at 64 KiB.
  mov ax, 2000h
  mov es, ax
  mov di, 0FFFFh
  mov cx, 2
  mov al, 55h
  cld
  rep stosb
  movzx edx, di
  CHECK_EQ edx, 1
  cmp byte [es:0], 55h
  jne bad
  cmp byte [es:0FFFFh], 55h
  jne bad

  ; Into protected mode and back: the descriptor caches stay ("unreal").
  lgdt [gdt_pointer]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  mov bx, 8
  mov fs, bx
  and al, ~1
  mov cr0, eax
  xor bx, bx
  mov fs, bx
  mov dword [fs:dword 200000h], 0CAFE0001h
  mov eax, [fs:dword 200000h]
  CHECK_EQ eax, 0CAFE0001h
  RFAULTS 13, db 67h, 66h, 0A1h, 0, 0, 20h, 0    ; DS still ends at FFFFh
  smsw ax
  test al, 1
  jnz bad
  PASS

bad:
  FAIL

unexpected:
  mov eax, 0BAD1h
  hlt

handler:
  mov bp, sp
  mov dx, [bp]
  mov cx, dx
  cmp dx, [expected_rip]
  jne bad
  cmp word [bp + 2], 0
  jne bad
  mov sp, [saved_sp]
  mov cx, 1
  jmp [expected_resume]

int40:
  pushf
  pop ax
  test ah, 3
  jnz bad
  mov bp, sp
  cmp word [bp], after_int
  jne bad
  test word [bp + 4], 200h
  jz bad
  iret

align 8
gdt:
  dq 0
  dq 00CF93000000FFFFh
gdt_pointer:
  dw 15
  dd gdt
short_idt:
  dw 0FFh
  dd 0
full_idt:
  dw 3FFh
  dd 0
expected_rip: dw 0
expected_resume: dw 0
saved_sp: dw 0
