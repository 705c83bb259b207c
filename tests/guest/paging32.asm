; mode: protected
; Two-level paging with 4 MiB pages, and PAE paging with its four cached pointers.
%include "protected.inc"

PD equ 100000h
PT equ 101000h                        ; of 400000h
PDPT equ 102000h
PAE_PD equ 103000h
PAE_PT equ 104000h                    ; of 400000h under PAE
PAGE equ 400000h

; PAGE_FAULTS error code, address, instruction
%macro PAGE_FAULTS 3+
  FAULTS 14, %1, %3
  mov eax, cr2
  CHECK_EQ eax, %2
%endmacro

%macro SET_PTE 1
  mov dword [PT], PAGE | (%1)
  invlpg [PAGE]
%endmacro

start:
  SETUP
  mov edi, PD
  xor eax, eax
  mov ecx, 5000h / 4
  rep stosd
  mov eax, cr4
  or al, 10h                          ; PSE
  mov cr4, eax
  mov dword [PD], 87h
  mov dword [PD + 4], PT | 7
  mov eax, PD
  mov cr3, eax
  mov eax, cr0
  or eax, 80010000h
  mov cr0, eax
  CHECK_MEM PD, 0A7h                  ; fetched: accessed
  mov dword [0F0000h], 1
  CHECK_MEM PD, 0E7h

  PAGE_FAULTS 0, PAGE, mov al, [PAGE]
  PAGE_FAULTS 2, PAGE + 8, mov [PAGE + 8], al
  SET_PTE 7
  mov al, [PAGE]
  CHECK_MEM PT, PAGE | 27h
  CHECK_MEM PD + 4, PT | 27h
  mov [PAGE], al
  CHECK_MEM PT, PAGE | 67h
  SET_PTE 5
  PAGE_FAULTS 3, PAGE, mov [PAGE], al
  mov eax, cr0
  and eax, ~10000h
  mov cr0, eax
  mov [PAGE], al
  or eax, 10000h
  mov cr0, eax
  PAGE_FAULTS 3, PAGE, mov [PAGE], al
  SET_PTE 3
  GO_USER user
user:
  mov ax, DATA3
  mov ds, ax
  FAULTS 14, 5, mov al, [PAGE]
  FAULTS 14, 7, mov [PAGE], al
  GO_KERNEL kernel
kernel:
  ; 4 MiB pages: bit 21 is reserved, bits 20:13 are address bits 39:32.
  mov dword [PD + 8], 800087h | (1 << 21)
  PAGE_FAULTS 9, 800000h, mov al, [800000h]
  PAGE_FAULTS 0Bh, 800000h, mov [800000h], al
  mov dword [PD + 8], 400087h
  invlpg [800000h]
  SET_PTE 7
  mov dword [PAGE], 12345678h
  CHECK_MEM 800000h, 12345678h
  mov dword [805000h], 55h
  ; INVLPG anywhere in it drops the page.
  mov dword [PD + 8], 0C00087h
  invlpg [0BFF000h]
  cmp dword [800000h], 12345678h
  jne other_page
  FAIL
other_page:

  ; Global pages survive CR3, not CR4.PGE.
  mov eax, cr4
  or eax, 80h
  mov cr4, eax
  mov dword [PT], PAGE | 163h
  mov al, [PAGE]
  mov dword [PT], 0
  mov eax, cr3
  mov cr3, eax
  mov al, [PAGE]
  mov eax, cr4
  and eax, ~80h
  mov cr4, eax
  PAGE_FAULTS 0, PAGE, mov al, [PAGE]

  ; To PAE.
  mov eax, cr0
  and eax, 7FFFFFFFh
  mov cr0, eax
  mov eax, cr4
  or al, 20h
  mov cr4, eax
  mov ecx, 0C0000080h
  rdmsr
  or eax, 800h
  wrmsr
  mov dword [PDPT], PAE_PD | 1
  mov dword [PAE_PD], 87h
  mov dword [PAE_PD + 16], PAE_PT | 7
  mov dword [PAE_PT], PAGE | 7
  mov eax, PDPT
  mov cr3, eax
  mov eax, cr0
  or eax, 80000000h
  mov dword [PDPT + 8], PAE_PD | 3     ; bit 1 is reserved
  FAULTS 13, 0, mov cr0, eax
  mov dword [PDPT + 8], 0
  mov cr0, eax
  mov dword [PAGE], 99h
  CHECK_MEM PAE_PT, PAGE | 67h
  CHECK_MEM PDPT, PAE_PD | 1           ; pointers have no accessed bit
  mov dword [PAE_PT + 4], 80000000h    ; NX
  invlpg [PAGE]
  mov byte [PAGE], 0C3h
  mov ebx, PAGE
  mov ebp, esp
  EXPECT 14, 11h, PAGE, .after_nx
  call ebx
.after_nx:
  mov esp, ebp
  mov dword [PAE_PT + 4], 1 << 23      ; bit 55: reserved in PAE paging
  invlpg [PAGE]
  PAGE_FAULTS 9, PAGE, mov al, [PAGE]
  mov dword [PAE_PT + 4], 1 << 9       ; bit 41: beyond the physical address
  invlpg [PAGE]
  PAGE_FAULTS 9, PAGE, mov al, [PAGE]
  mov dword [PAE_PT + 4], 0
  invlpg [PAGE]
  mov al, [PAGE]

  ; The pointers are read by MOV CR3 only.
  mov dword [PDPT + 8], PAE_PD | 1     ; 40000000h = 0
  PAGE_FAULTS 0, 40000000h, mov al, [40000000h]
  mov eax, cr3
  mov cr3, eax
  mov al, [40000000h]
  mov dword [PDPT + 8], PAE_PD | 21h
  FAULTS 13, 0, mov cr3, eax
  mov al, [40000000h]                  ; nothing was loaded
  PASS

