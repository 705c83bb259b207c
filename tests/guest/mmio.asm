; mode: long
; Instructions on device memory (64 KiB at FF000000h): arithmetic, strings, exchanges, the stack, jumps, SSE and MMX,
; bit strings, and operands that cross from one device page into the next.
%include "long.inc"

%define DEVICE 3FE00000h              ; where the device is mapped
%define EDGE (DEVICE + 0FF0h)

%macro CHECK_QWORD 2
  mov rax, %2
  cmp [rbx + %1], rax
  je %%same
  FAIL
%%same:
%endmacro

start:
  SETUP
  mov dword [102000h + 511 * 8], 0FF000000h | 93h
  mov dword [102000h + 511 * 8 + 4], 0
  mov rax, cr3
  mov cr3, rax
  mov rbx, DEVICE

  ; Reads, writes, read-modify-write.
  mov rax, 123456789ABCDEFh
  mov [rbx], rax
  cmp [rbx], rax
  jne failed
  mov dword [rbx], 1234h
  or dword [rbx], 8001h
  add dword [rbx], 2
  xor dword [rbx], 1111h
  sub dword [rbx], 26h
  stc
  adc dword [rbx], 200h
  stc
  sbb dword [rbx], 0
  and dword [rbx], 0FE77h
  CHECK_MEM rbx, 8400h
  test dword [rbx], 8000h
  jz failed
  inc byte [rbx]
  lock dec byte [rbx]
  lock neg word [rbx]
  lock not byte [rbx]
  CHECK_MEM rbx, 7CFFh
  mov dword [rbx], 12345678h
  mov eax, 0AAAAAAAAh
  shld [rbx], eax, 3
  CHECK_MEM rbx, 91A2B3C5h
  mov cl, 3
  mov eax, 55555555h
  mov dword [rbx], 12345678h
  shrd [rbx], eax, cl
  CHECK_MEM rbx, 0A2468ACFh
  mov qword [rbx], -1
  smsw [rbx]
  mov eax, [rbx + 4]
  CHECK_EQ eax, -1
  mov rax, cr0
  cmp [rbx], ax
  jne failed
  cmp word [rbx + 2], -1
  jne failed

  ; Exchanges.
  mov rax, 123456789ABCDEFh
  mov [rbx], rax
  mov rax, 0FEDCBA9876543210h
  xchg [rbx], ax
  mov rdx, 0FEDCBA987654CDEFh
  CHECK_EQ rax, rdx
  CHECK_QWORD 0, 123456789AB3210h
  mov eax, 76543210h
  xadd [rbx], eax
  CHECK_EQ eax, 89AB3210h
  CHECK_QWORD 0, 1234567FFFF6420h
  mov rax, 1234567FFFF6420h
  mov rcx, 77
  lock cmpxchg [rbx], rcx
  jnz failed
  CHECK_QWORD 0, 77
  mov eax, 77
  xor edx, edx
  mov ecx, 4
  push rbx
  mov rsi, rbx
  mov ebx, 3
  lock cmpxchg8b [rsi]
  pop rbx
  jnz failed
  CHECK_QWORD 0, 400000003h

  ; Bit strings reach before and behind their operand.
  mov qword [rbx], 0
  mov qword [rbx + 8], 0
  mov eax, 66
  bts [rbx], eax
  mov eax, -1
  btc dword [rbx + 4], eax
  CHECK_MEM rbx, 80000000h
  CHECK_MEM rbx + 8, 4
  mov dword [rbx], 0C0000000h
  bsf eax, [rbx]
  CHECK_EQ eax, 30
  bsr eax, [rbx]
  CHECK_EQ eax, 31

  ; Stack, call and jumps through device memory.
  mov rsi, rsp
  lea rsp, [rbx + 1000h]
  push qword -7
  push qword [rbx]
  push -7070707
  pop rax
  CHECK_EQ rax, -7070707
  pop rdx
  pop rcx
  CHECK_EQ rcx, -7
  lea rax, [rbx + 1000h]
  CHECK_EQ rsp, rax
  push word 1234h
  pop word [rbx + 10h]
  call returns
  enter 128h, 0
  leave
  CHECK_EQ rsp, rax
  mov rsp, rsi
  cmp word [rbx + 10h], 1234h
  jne failed
  mov qword [rbx], jumped
  jmp [rbx]
  FAIL
jumped:
  mov qword [rbx], returns
  call [rbx]
  mov qword [rbx], far_target
  mov word [rbx + 8], CODE0
  o64 jmp far [rbx]
  FAIL
far_target:
  mov rax, 1111111111111111h
  mov [rbx], rax
  FAULTS 13, 0, {jmp [rbx]}

  ; Strings.
  lea rdi, [rbx + 100h]
  mov eax, 44332211h
  mov ecx, 16
  cld
  rep stosd
  lea rsi, [rbx + 100h]
  lea rdi, [rbx + 0FC0h]              ; across the page
  mov ecx, 128
  rep movsb
  CHECK_MEM rbx + 0FFCh, 44332211h
  lea rsi, [rbx + 100h]
  lea rdi, [rbx + 0FC0h]
  mov ecx, 64
  repe cmpsb
  jne failed
  CHECK_EQ ecx, 0
  lea rdi, [rbx + 100h]
  mov ecx, 100
  mov al, 33h
  repne scasb
  CHECK_EQ ecx, 97
  lea rdi, [rbx + 0FF0h]
  mov edx, 0E0h
  mov ecx, 32
  rep insb                            ; ports read as ones
  CHECK_MEM rbx + 100Ch, -1
  lea rsi, [rbx + 100h]
  mov ecx, 4
  mov dx, 0E0h
  rep outsb

  ; Operands across the page.
  mov edi, EDGE
  mov word [rdi + 15], 88AAh
  cmp byte [rdi + 15], 0AAh
  jne failed
  cmp byte [rdi + 16], 88h
  jne failed
  mov rax, 8877665544332211h
  mov [rdi + 11], rax
  cmp [rdi + 11], rax
  jne failed
  add dword [rdi + 14], 11111111h
  mov eax, [rdi + 14]
  CHECK_EQ eax, 88776655h

  ; SSE and MMX.
  movdqu xmm0, [table]
  movdqu [rdi + 9], xmm0
  movdqu xmm1, [rdi + 9]
  pcmpeqd xmm1, xmm0
  pmovmskb eax, xmm1
  CHECK_EQ eax, 0FFFFh
  movaps [rbx], xmm0
  movapd xmm2, [rbx]
  paddd xmm2, [rbx]
  movd eax, xmm2
  CHECK_EQ eax, 2
  movq mm0, [rbx]
  movq [rbx + 20h], mm0
  emms
  CHECK_MEM rbx + 24h, 2
  FAULTS 13, 0, {movaps [rbx + 8], xmm0}
  fninit
  fld1
  fstp tword [rbx + 30h]
  fld tword [rbx + 30h]
  fistp dword [rbx + 30h]
  CHECK_MEM rbx + 30h, 1

  ; Code in device memory.
  mov byte [rbx + 200h], 0B8h         ; mov eax, 600h; ret
  mov dword [rbx + 201h], 600h
  mov byte [rbx + 205h], 0C3h
  lea rcx, [rbx + 200h]
  call rcx
  CHECK_EQ eax, 600h
  PASS
failed:
  FAIL
returns:
  ret

align 16
table: dd 1, 2, 3, 4
