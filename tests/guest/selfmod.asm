; mode: long
; Self-modifying code: the next instruction, another block, another page, through an alias, across a page
; boundary, by a string
; instruction; a block that is running and a block that was left.
%include "long.inc"

start:
  SETUP
  ; The instruction right behind.
  xor ebx, ebx
  mov byte [.next + 1], 0C3h          ; INC EAX becomes INC EBX
.next:
  inc eax
  CHECK_EQ ebx, 1

  ; Later in the same block, and again in a loop.
  mov ecx, 100
  xor edx, edx
.loop:
  mov [.immediate + 1], cl
  nop
.immediate:
  mov eax, 0
  add edx, eax
  dec ecx
  jnz .loop
  CHECK_EQ edx, 5050

  ; Another page, called before and after.
  mov edi, 200000h
  mov byte [rdi], 0B8h                ; mov eax, 1; ret
  mov dword [rdi + 1], 1
  mov byte [rdi + 5], 0C3h
  call rdi
  CHECK_EQ eax, 1
  mov byte [rdi + 1], 2
  call rdi
  CHECK_EQ eax, 2

  ; Through an alias of the page.
  mov qword [102000h + 2 * 8], 200087h ; 400000h is 200000h too
  invlpg [400000h]
  mov byte [400001h], 3
  call rdi
  CHECK_EQ eax, 3
  mov ebx, 400000h
  call rbx
  CHECK_EQ eax, 3
  mov byte [rdi + 1], 4
  call rbx
  CHECK_EQ eax, 4

  ; An instruction across two pages; each part is changed.
  mov edi, 200FFEh
  mov byte [rdi], 0B8h
  mov dword [rdi + 1], 01020304h
  mov byte [rdi + 5], 0C3h
  call rdi
  CHECK_EQ eax, 01020304h
  mov byte [201002h], 09h             ; its last byte
  call rdi
  CHECK_EQ eax, 09020304h
  mov byte [200FFFh], 07h
  call rdi
  CHECK_EQ eax, 09020307h

  ; Its second page mapped elsewhere.
  mov qword [102000h + 3 * 8], 130007h ; 600000h-7FFFFFh by small pages
  mov qword [130000h], 200007h
  mov qword [130008h], 201007h
  mov qword [130010h], 203007h
  invlpg [600000h]
  mov ebx, 600FFEh
  call rbx
  CHECK_EQ eax, 09020307h
  mov dword [203000h], 0C3AABBCCh
  mov byte [203000h], 55h
  mov byte [203001h], 66h
  mov byte [203002h], 77h
  mov byte [203003h], 0C3h
  mov qword [130008h], 203007h
  invlpg [601000h]
  call rbx
  CHECK_EQ eax, 77665507h

  ; By REP MOVSB over code that has run, and over the code that runs.
  mov edi, 204000h
  mov esi, five
  mov ecx, six - five
  mov rbx, rdi
  rep movsb
  call rbx
  CHECK_EQ eax, 5
  mov rdi, rbx
  mov esi, six
  mov ecx, six_end - six
  rep movsb
  call rbx
  CHECK_EQ eax, 6
  mov edi, .overwritten
  mov esi, .nops
  mov ecx, 2
  rep movsb
.overwritten:
  jmp short .bad
  PASS
.bad:
  FAIL
.nops:
  nop
  nop

five:
  mov eax, 5
  ret
six:
  mov eax, 6
  ret
six_end:
