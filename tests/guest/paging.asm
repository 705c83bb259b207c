; mode: long
; 4-level paging: every bit of the page-fault error code, accessed and dirty bits, WP, NX, SMEP, SMAP,
; protection keys, reserved
; bits, INVLPG of small and large pages.
%include "long.inc"

PT equ 120000h                        ; maps 400000h-5FFFFFh
PD_ENTRY equ 102000h + 2 * 8
PAGE equ 400000h
P equ 1
RW equ 2
US equ 4
A equ 20h
D equ 40h

; SET_PTE flags: the first page of the area, at its own address.
%macro SET_PTE 1
  mov rax, PAGE | (%1)
  mov [PT], rax
  invlpg [PAGE]
%endmacro

; PTE_IS flags
%macro PTE_IS 1
  mov rax, PAGE | (%1)
  cmp [PT], rax
  je %%same
  mov rax, [PT]
  FAIL
%%same:
%endmacro

; PAGE_FAULTS error code, address, instruction
%macro PAGE_FAULTS 3+
  mov qword [want_cr2], %2
  FAULTS 14, %1, %3
  mov rax, cr2
  CHECK_EQ rax, [want_cr2]
%endmacro

; As PAGE_FAULTS at CPL 3.
%macro USER_FAULTS 3+
  GO_USER %%user
%%user:
  FAULTS 14, %1, %3
  GO_KERNEL %%kernel
%%kernel:
  mov rax, cr2
  mov rcx, %2
  CHECK_EQ rax, rcx
%endmacro

; USER_RUNS instruction: no fault at CPL 3.
%macro USER_RUNS 1+
  GO_USER %%user
%%user:
  %1
  GO_KERNEL %%kernel
%%kernel:
%endmacro

start:
  SETUP
  mov qword [PD_ENTRY], PT | 7

  ; Not present.
  SET_PTE 0
  PAGE_FAULTS 0, PAGE + 123h, mov al, [PAGE + 123h]
  PAGE_FAULTS 2, PAGE, mov [PAGE], al
  PAGE_FAULTS 2, PAGE, inc dword [PAGE]
  PAGE_FAULTS 0, PAGE, mov eax, [PAGE - 2]        ; the second page of an access
  mov rbx, PAGE
  PAGE_FAULTS 0, PAGE, cmp [rbx], al
  mov dword [3FFFFCh], 11223344h
  PAGE_FAULTS 2, PAGE, mov [PAGE - 2], eax
  CHECK_MEM 3FFFFCh, 11223344h                     ; nothing was written
  USER_FAULTS 4, PAGE, mov al, [PAGE]
  USER_FAULTS 6, PAGE, mov [PAGE], al

  ; Accessed and dirty.
  SET_PTE P | RW | US
  mov al, [PAGE]
  PTE_IS P | RW | US | A
  mov [PAGE], al
  PTE_IS P | RW | US | A | D
  SET_PTE P | RW | US
  mov [PAGE], al
  PTE_IS P | RW | US | A | D
  SET_PTE P | RW | US
  cmp dword [PAGE], 0
  PTE_IS P | RW | US | A
  lock xadd [PAGE], eax
  PTE_IS P | RW | US | A | D
  SET_PTE P | RW | US
  push rax
  invlpg [PAGE]
  prefetcht0 [PAGE]
  pop rax
  PTE_IS P | RW | US
  SET_PTE P | RW | US | A
  mov rax, [PAGE]
  PTE_IS P | RW | US | A

  ; Read-only: WP decides for the supervisor.
  SET_PTE P | US
  PAGE_FAULTS 3, PAGE, mov [PAGE], al
  PTE_IS P | US                                    ; a fault sets nothing in the leaf
  mov rax, cr0
  and eax, ~10000h
  mov cr0, rax
  mov [PAGE], al
  PTE_IS P | US | A | D
  USER_FAULTS 7, PAGE, mov [PAGE], al
  mov rax, cr0
  or eax, 10000h
  mov cr0, rax
  PAGE_FAULTS 3, PAGE, mov [PAGE], al

  ; Supervisor pages.
  SET_PTE P | RW
  mov al, [PAGE]
  USER_FAULTS 5, PAGE, mov al, [PAGE]
  USER_FAULTS 7, PAGE, mov [PAGE], al
  SET_PTE P | RW | US
  mov qword [PD_ENTRY], PT | 3                     ; the directory forbids it too
  invlpg [PAGE]
  USER_FAULTS 5, PAGE, mov al, [PAGE]
  mov qword [PD_ENTRY], PT | 5
  invlpg [PAGE]
  PAGE_FAULTS 3, PAGE, mov [PAGE], al
  mov qword [PD_ENTRY], PT | 7
  invlpg [PAGE]

  ; Reserved bits.
  SET_PTE P | RW | (1 << 45)
  PAGE_FAULTS 9, PAGE, mov al, [PAGE]
  PAGE_FAULTS 11, PAGE, mov [PAGE], al
  mov rax, 2000h + 600000h + 87h                   ; address bits under the size of a large page
  mov [PD_ENTRY + 8], rax
  invlpg [600000h]
  PAGE_FAULTS 9, 600000h, mov al, [600000h]
  mov qword [PD_ENTRY + 8], 600087h
  invlpg [600000h]
  SET_PTE P | RW | (1 << 55)                       ; bits 62:52 are software's
  mov al, [PAGE]

  ; NX.
  SET_PTE P | RW | US | (1 << 63)
  mov ecx, 0C0000080h
  mov byte [PAGE], 0C3h
  mov ebx, PAGE
  mov rbp, rsp
  EXPECT 14, 11h, PAGE, .after_nx
  call rbx
.after_nx:
  mov rsp, rbp
  rdmsr
  and eax, ~800h
  wrmsr
  PAGE_FAULTS 9, PAGE, mov al, [PAGE]              ; reserved without NXE
  mov ecx, 0C0000080h
  rdmsr
  or eax, 800h
  wrmsr
  SET_PTE P | RW | US
  call rbx

  ; SMEP.
  mov qword [102000h], 83h                         ; the program's own page: supervisor
  invlpg [1000h]
  mov rax, cr4
  or eax, 100000h
  mov cr4, rax
  mov rbp, rsp
  EXPECT 14, 11h, PAGE, .after_smep
  call rbx
.after_smep:
  mov rsp, rbp
  ; SMAP: AC lifts it; reads by the processor itself are never lifted.
  mov rax, cr4
  or eax, 200000h
  mov cr4, rax
  SET_PTE P | RW | US
  PAGE_FAULTS 1, PAGE, mov al, [PAGE]
  PAGE_FAULTS 3, PAGE, mov [PAGE], al
  stac
  mov al, [PAGE]
  clac
  PAGE_FAULTS 1, PAGE, mov al, [PAGE]
  mov rax, cr4
  and eax, ~300000h
  mov cr4, rax
  mov al, [PAGE]
  mov qword [102000h], 87h                         ; user again
  mov rax, cr3
  mov cr3, rax

  ; Protection keys.
  mov rax, cr4
  or eax, 400000h
  mov cr4, rax
  SET_PTE P | RW | US | (5 << 59)
  mov al, [PAGE]
  xor ecx, ecx
  xor edx, edx
  mov eax, 1 << 10                                 ; AD of key 5
  wrpkru
  PAGE_FAULTS 21h, PAGE, mov al, [PAGE]
  USER_FAULTS 25h, PAGE, mov al, [PAGE]
  xor ecx, ecx
  mov eax, 2 << 10                                 ; WD
  wrpkru
  mov al, [PAGE]
  PAGE_FAULTS 23h, PAGE, mov [PAGE], al
  USER_FAULTS 27h, PAGE, mov [PAGE], al
  SET_PTE P | US | (5 << 59)
  PAGE_FAULTS 23h, PAGE, mov [PAGE], al            ; both forbid it
  SET_PTE P | RW | (5 << 59)
  mov [PAGE], al                                   ; supervisor pages have no key
  mov rax, cr4
  and eax, ~400000h
  mov cr4, rax

  ; A translation lasts until INVLPG; that of any address drops all of a large page.
  SET_PTE P | RW | US | A | D
  mov dword [PAGE], 1111h
  mov qword [PT + 100h * 8], 500003h
  mov dword [500000h], 2222h
  mov dword [PAGE], 1111h
  mov rax, 500000h | P | RW | A | D
  mov [PT], rax
  invlpg [PAGE + 5]
  CHECK_MEM PAGE, 2222h
  mov qword [PD_ENTRY], 400087h
  invlpg [PAGE]
  mov dword [800000h], 3333h
  mov dword [833000h], 4444h
  mov eax, [PAGE]
  mov eax, [PAGE + 33000h]
  mov qword [PD_ENTRY], 800087h
  invlpg [PAGE + 1FF000h]
  CHECK_MEM PAGE, 3333h
  CHECK_MEM PAGE + 33000h, 4444h

  ; #NP while #PF is delivered is a double fault, here on the stack of IST1.
  SET_GATE 8, stubs + 8 * 16, 8Eh, 1
  mov qword [PD_ENTRY], PT | 7
  SET_PTE 0
  EXPECT 8, 0, double_fault, after_double
  mov esi, idt
  mov edi, 4FF000h
  mov qword [PT + 0FFh * 8], 4FF003h
  mov ecx, 49 * 2
  rep movsq
  and byte [4FF000h + 14 * 16 + 5], 7Fh            ; #PF's gate is not present: #NP while delivering #PF
  lidt [other_idt]
double_fault:
  mov al, [PAGE]
  FAIL
after_double:
  lidt [idt_pointer]
  PASS

align 8
want_cr2: dq 0
other_idt:
  dw 49 * 16 - 1
  dq 4FF000h
