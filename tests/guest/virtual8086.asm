; mode: protected
; Virtual-8086 mode: entry by IRETD, exits by faults and INT, IOPL-sensitive instructions, VME redirection
; and virtual IF.
%include "protected.inc"

V86_CODE equ 9000h
V86_FLAGS equ 20002h

; ENTER_V86 offset, eflags
%macro ENTER_V86 2
  push dword 5000h                    ; GS FS DS ES SS
  push dword 4000h
  push dword 3000h
  push dword 2000h
  push dword 1000h
  push dword 0FF00h                   ; at 1FF00h
  push dword %2
  push dword V86_CODE >> 4
  push dword %1
  iretd
%endmacro

; V86_EXIT vector, error, offset of the faulting instruction: what the monitor must see on its stack.
%macro V86_EXIT 4
  mov dword [resume], %4
  mov dword [want_vector], %1
  mov dword [want_error], %2
  mov dword [want_ip], %3
%endmacro

start:
  SETUP
  mov esi, program
  mov edi, V86_CODE
  mov ecx, program_end - program
  rep movsb
  mov ebx, monitor_stubs
  xor ecx, ecx
.gates:
  mov eax, ebx
  mov [idt + ecx * 8], ax
  mov word [idt + ecx * 8 + 4], 8E00h
  mov edx, eax
  shr edx, 16
  mov [idt + ecx * 8 + 6], dx
  add ebx, 16
  inc ecx
  cmp ecx, 49
  jne .gates
  or byte [idt + 3 * 8 + 5], 60h
  or byte [idt + 22h * 8 + 5], 60h

  ; IOPL 0: CLI, STI, PUSHF, POPF, INT n, IRET fault; real-mode segments; ports by the bitmap alone.
  V86_EXIT 13, 0, p_cli - program, .after_cli
  ENTER_V86 p_cli - program, V86_FLAGS
.after_cli:
  CHECK_MEM seen_ss, 1000h
  CHECK_MEM seen_esp, 0FF00h
  CHECK_MEM seen_ds, 3000h
  CHECK_MEM seen_gs, 5000h
  mov ax, ds
  and eax, 0FFFFh
  CHECK_EQ eax, DATA0
  V86_EXIT 13, 0, p_int - program, .after_int
  ENTER_V86 p_int - program, V86_FLAGS
.after_int:
  V86_EXIT 3, 0, p_int3 - program + 1, .after_int3
  ENTER_V86 p_int3 - program, V86_FLAGS     ; INT3 does not depend on IOPL
.after_int3:
  V86_EXIT 13, 0, p_pushf - program, .after_pushf
  ENTER_V86 p_pushf - program, V86_FLAGS
.after_pushf:
  V86_EXIT 13, 0, p_iret - program, .after_iret
  ENTER_V86 p_iret - program, V86_FLAGS
.after_iret:
  V86_EXIT 13, 0, p_in - program, .after_in
  ENTER_V86 p_in - program, V86_FLAGS | 3000h
.after_in:
  V86_EXIT 13, 0, p_hlt - program, .after_hlt
  ENTER_V86 p_hlt - program, V86_FLAGS | 3000h
.after_hlt:
  V86_EXIT 6, 0, p_lldt - program, .after_lldt
  ENTER_V86 p_lldt - program, V86_FLAGS | 3000h
.after_lldt:

  ; IOPL 3: CLI works, INT 22h goes through the gate of DPL 3, INT 21h (DPL 0) faults.
  V86_EXIT 22h, 0, p_int22_end - program, .after_22
  ENTER_V86 p_cli_int22 - program, V86_FLAGS | 3200h
.after_22:
  mov eax, [seen_eflags]
  and eax, 23200h
  CHECK_EQ eax, 23000h                 ; IF cleared by CLI
  V86_EXIT 13, 21h * 8 + 2, p_int21 - program, .after_21
  ENTER_V86 p_int21 - program, V86_FLAGS | 3000h
.after_21:

  ; Segments in the 8086 way, with limit FFFFh.
  V86_EXIT 22h, 0, p_segments_end - program, .after_segments
  ENTER_V86 p_segments - program, V86_FLAGS | 3000h
.after_segments:
  CHECK_MEM 61230h, 12345678h
  V86_EXIT 13, 0, p_limit - program, .after_limit
  ENTER_V86 p_limit - program, V86_FLAGS | 3000h
.after_limit:

  ; The gate's code must be at CPL 0.
  SET_GATE 22h, 0, 0EEh, CONFORMING
  V86_EXIT 13, CONFORMING, p_int22 - program, .after_conforming
  ENTER_V86 p_int22 - program, V86_FLAGS | 3000h
.after_conforming:

  ; VME: INT 23h is redirected to the 8086 program through the bitmap below the I/O map.
  mov eax, cr4
  or al, 1
  mov cr4, eax
  mov word [tss + 66h], 88h           ; I/O map; redirection bits at 68h
  mov byte [tss + 68h + 22h / 8], 0F7h       ; INT 23h only
  mov word [23h * 4], p_handler - program
  mov word [23h * 4 + 2], V86_CODE >> 4
  V86_EXIT 13, 0, p_vme_end - program, .after_vme
  ENTER_V86 p_vme - program, V86_FLAGS | 80000h   ; IOPL 0, VIF
.after_vme:
  CHECK_MEM 1FF00h - 6, ((V86_CODE >> 4) << 16) | (p_vme_return - program)
  mov ax, [1FF00h - 2]
  and eax, 3300h
  CHECK_EQ eax, 3200h                 ; IF = VIF, IOPL 3, TF 0
  mov eax, [seen_eflags]
  and eax, 83200h
  CHECK_EQ eax, 80000h                ; the 8086 IRET set VIF again
  mov ax, [20000h]
  and eax, 0FFFFh
  CHECK_EQ eax, 0BEEFh
  mov ax, [20002h]                    ; PUSHF in the handler: VIF was clear
  test ah, 2
  jz .flag_clear
  FAIL
.flag_clear:
  ; VIP: STI with a pending virtual interrupt faults.
  V86_EXIT 13, 0, p_sti - program, .after_sti
  ENTER_V86 p_sti - program, V86_FLAGS | 100000h
.after_sti:
  PASS

; Stack: vector, error code, EIP, CS, EFLAGS, ESP, SS, ES, DS, FS, GS.
monitor:
  mov eax, DATA0
  mov ds, ax
  mov es, ax
  mov eax, [esp]
  mov ebx, eax
  mov ecx, [esp + 4]
  mov edx, [esp + 8]
  CHECK_EQ eax, [want_vector]
  mov eax, [esp + 4]
  CHECK_EQ eax, [want_error]
  mov eax, [esp + 8]
  CHECK_EQ eax, [want_ip]
  CHECK_MEM esp + 12, V86_CODE >> 4
  mov eax, [esp + 16]
  mov [seen_eflags], eax
  mov eax, [esp + 20]
  mov [seen_esp], eax
  mov eax, [esp + 24]
  mov [seen_ss], eax
  mov eax, [esp + 32]
  mov [seen_ds], eax
  mov eax, [esp + 40]
  mov [seen_gs], eax
  pushfd
  pop eax
  test eax, 20000h
  jz .left
  FAIL
.left:
  mov esp, 80000h
  jmp [resume]

align 16
monitor_stubs:
%assign n 0
%rep 49
align 16
  %if n != 8 && (n < 10 || n > 14) && n != 17
  push dword 0
  %endif
  push dword n
  jmp near monitor
  %assign n n + 1
%endrep

bits 16
program:
p_cli: cli
p_int: int 22h
p_int3: int3
p_pushf: pushf
p_iret: iret
p_in: in al, 60h
p_hlt: hlt
p_lldt: lldt ax
p_cli_int22: cli
p_int22: int 22h
p_int22_end:
p_int21: int 21h
p_segments:
  mov ax, 6000h
  mov ds, ax
  mov dword [1230h], 12345678h
  int 22h
p_segments_end:
p_limit: mov ax, [0FFFFh]
p_vme:
  int 23h
p_vme_return:
p_vme_end: int 22h
p_handler:
  push ax
  mov ax, 2000h
  mov ds, ax
  mov word [0], 0BEEFh
  pushf
  pop word [2]
  pop ax
  iret
p_sti: sti
program_end:
bits 32

align 4
resume: dd 0
want_vector: dd 0
want_error: dd 0
want_ip: dd 0
seen_eflags: dd 0
seen_esp: dd 0
seen_ss: dd 0
seen_ds: dd 0
seen_gs: dd 0
