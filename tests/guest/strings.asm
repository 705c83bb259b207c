; mode: long
; REP strings stop at page faults with their registers at the element reached, and go on afterwards;
; interrupts come between
; iterations.
%include "long.inc"

PT equ 120000h

; Handler of #PF: maps the page, counts, notes RCX and RDI.
start:
  SETUP
  SET_GATE 14, fill_page, 8Eh
  mov qword [102000h + 2 * 8], PT | 7 ; 400000h-: nothing present
  cld
  mov edi, 400FF0h
  mov qword [PT], 300003h
  mov ecx, 3000h
  mov al, 0AAh
  rep stosb
string_end:
  CHECK_EQ rcx, 0
  CHECK_EQ rdi, 403FF0h
  CHECK_MEM faults, 3
  CHECK_MEM last_rcx, 3000h - 2010h
  CHECK_MEM last_rdi, 403000h
  CHECK_MEM 403FECh, 0AAAAAAAAh

  ; MOVS: the store of an element faults after its load.
  mov dword [faults], 0
  mov esi, 400000h
  mov edi, 404FF8h
  mov ecx, 4
  mov qword [PT + 4 * 8], 304003h
  rep movsq
  CHECK_EQ rsi, 400020h
  CHECK_EQ rdi, 405018h
  CHECK_MEM faults, 1
  CHECK_MEM last_rcx, 3

  ; An element that crosses into a missing page is not written in part.
  mov dword [faults], 0
  mov edi, 405FFEh
  mov dword [405FFCh], 0
  mov eax, 11223344h
  mov ecx, 1
  rep stosd
  CHECK_MEM faults, 1
  CHECK_MEM first_word, 0
  CHECK_MEM 405FFEh, 11223344h

  ; Backwards.
  mov dword [faults], 0
  std
  mov edi, 408010h
  mov qword [PT + 8 * 8], 308003h
  mov ecx, 20h
  rep stosb
  cld
  CHECK_EQ rdi, 407FF0h
  CHECK_MEM faults, 1
  CHECK_MEM last_rcx, 20h - 11h

  ; CMPS and SCAS: flags of the last comparison; a fault leaves the flags as they were.
  mov dword [faults], 0
  mov edi, 409FF8h
  mov qword [PT + 9 * 8], 309003h
  mov ecx, 100
  mov al, 1
  cmp al, al
  stc
  repne scasb
  jne .none
  FAIL
.none:
  CHECK_MEM faults, 1
  mov eax, [last_flags]
  and eax, 41h
  CHECK_EQ eax, 41h                   ; CF and ZF from before

  ; 32-bit addresses wrap and clear the upper halves.
  mov rdi, 1FFFF0000h
  mov rcx, 100000000h
  a32 rep stosb
  CHECK_EQ rcx, 0
  mov eax, 0FFFF0000h
  CHECK_EQ rdi, rax

  ; An interrupt between iterations: RIP is that of the instruction.
  SET_GATE 20h, interrupt, 8Eh
  mov al, 20h
  out 0F1h, al
  mov ecx, 5
  mov edi, 400000h
  sti
interrupted:
  rep stosb
  cli
  CHECK_EQ rcx, 0
  CHECK_MEM interrupts, 1
  CHECK_MEM first_rdi, 400001h        ; STI's shadow lasts for one iteration

  ; INS checks the destination before it reads the port.
  mov dword [faults], 0
  mov edi, 40C000h
  mov dx, 80h
  insb
  CHECK_MEM faults, 1
  CHECK_EQ rdi, 40C001h
  PASS

fill_page:
  push rax
  push rbx
  inc dword [faults]
  mov [last_rcx], ecx
  mov [last_rdi], edi
  mov rax, cr2
  mov rbx, rax
  and rax, -1000h
  mov ebx, eax
  sub ebx, 400000h
  shr ebx, 9
  sub eax, 100000h
  or eax, 3
  mov [PT + rbx], rax
  mov eax, [305FFCh]               ; 405FFCh
  mov [first_word], eax
  mov rax, [rsp + 40]
  mov [last_flags], eax
  pop rbx
  pop rax
  add rsp, 8
  iretq

interrupt:
  mov [first_rdi], edi
  inc dword [interrupts]
  iretq

align 8
faults: dd 0
last_rcx: dd 0
last_rdi: dd 0
last_flags: dd 0
first_word: dd 0
interrupts: dd 0
first_rdi: dd 0
