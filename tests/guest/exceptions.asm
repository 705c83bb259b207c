; mode: protected
; Exceptions of 32-bit protected mode at CPL 0 and 3: vector, error code, saved EIP.
%include "protected.inc"

start:
  SETUP

  ; Faults and traps of ordinary instructions.
  xor edx, edx
  xor ecx, ecx
  FAULTS 0, 0, div ecx
  mov eax, 80000000h
  cdq
  mov ecx, -1
  FAULTS 0, 0, idiv ecx
  TRAPS 3, int3
  mov al, 7Fh
  add al, 1
  TRAPS 4, into
  FAULTS 5, 0, bound eax, [bounds]
  FAULTS 6, 0, ud2
  FAULTS 6, 0, db 0F0h, 90h           ; LOCK NOP
  FAULTS 6, 0, db 8Eh, 0C8h           ; MOV CS, AX
  mov eax, cr0
  or al, 8
  mov cr0, eax
  FAULTS 7, 0, fninit
  clts
  mov eax, cr0
  or al, 4
  mov cr0, eax
  FAULTS 7, 0, fninit
  and al, ~4
  mov cr0, eax
  FAULTS 13, 0, times 15 db 66h

  ; Segment loads.
  mov ax, 0FF8h
  FAULTS 13, 0FF8h, mov ds, ax
  mov ax, CODE3 & ~3
  FAULTS 13, CODE3 & ~3, mov ss, ax   ; code in SS
  mov ax, EXECUTE_ONLY
  FAULTS 13, EXECUTE_ONLY, mov ds, ax
  mov ax, NOT_PRESENT
  FAULTS 11, NOT_PRESENT, mov ds, ax
  mov ax, STACK_NOT_PRESENT
  FAULTS 12, STACK_NOT_PRESENT, mov ss, ax
  xor ax, ax
  FAULTS 13, 0, mov ss, ax
  mov ax, READ_ONLY
  FAULTS 13, READ_ONLY, mov ss, ax
  mov ax, DATA3
  FAULTS 13, DATA3 & ~3, mov ss, ax   ; RPL 3 in CPL 0
  mov ax, TSS_SEL
  FAULTS 13, TSS_SEL, mov es, ax
  mov ax, 0Ch                         ; LDT entry 1: not a segment
  FAULTS 13, 0Ch, mov es, ax
  mov ax, 24h
  FAULTS 13, 24h, mov es, ax          ; beyond the LDT
  FAULTS 13, CODE3 & ~3, jmp CODE3:0
  FAULTS 13, DATA0, jmp DATA0:0
  FAULTS 13, 0, jmp 0:0
  FAULTS 13, 1000h, call 1000h:0
  FAULTS 13, 0, jmp CODE16:12345h     ; beyond the limit

  ; Use of segments.
  mov ax, READ_ONLY
  mov es, ax
  mov eax, [es:1000h]
  FAULTS 13, 0, mov [es:1000h], eax
  FAULTS 13, 0, mov [cs:1000h], eax
  mov ax, SMALL
  mov es, ax
  mov eax, [es:0FCh]
  FAULTS 13, 0, mov eax, [es:0FDh]
  FAULTS 13, 0, mov [es:100h], al
  mov ax, EXPAND_DOWN
  mov es, ax
  mov eax, [es:1000h]
  FAULTS 13, 0, mov eax, [es:0FFFh]
  FAULTS 13, 0, mov eax, [es:0FFFFFFFDh]
  mov al, [es:0FFFFFFFFh]
  xor ax, ax
  mov es, ax
  FAULTS 13, 0, mov al, [es:0]

  ; Far returns and system registers.
  push dword 0
  push dword 0
  FAULTS 13, 0, retf
  push dword DATA0
  push dword 0
  FAULTS 13, DATA0, iretd
  add esp, 16
  mov ax, TSS_SEL
  FAULTS 13, TSS_SEL, ltr ax          ; busy
  mov ax, DATA0
  FAULTS 13, DATA0, lldt ax
  xor ax, ax
  FAULTS 13, 0, ltr ax
  mov eax, cr0
  and eax, ~1
  or eax, 80000000h
  FAULTS 13, 0, mov cr0, eax          ; PG without PE
  mov eax, 80000000h
  FAULTS 13, 0, mov cr4, eax
  FAULTS 6, 0, mov cr1, eax
  mov ecx, 0DEAD0000h
  FAULTS 13, 0, rdmsr
  TRAPS 20h, int 20h
  FAULTS 13, 200 * 8 + 2, int 200      ; beyond the IDT
  GO_USER user

align 4
bounds: dd 5, 6

user:
  mov ax, DATA3
  mov ds, ax
  mov es, ax
  FAULTS 13, 0, hlt
  FAULTS 13, 0, cli
  FAULTS 13, 0, sti
  FAULTS 13, 0, mov eax, cr0
  FAULTS 13, 0, mov dr0, eax
  FAULTS 13, 0, lgdt [gdt_pointer]
  FAULTS 13, 0, wbinvd
  FAULTS 13, 0, invlpg [0]
  FAULTS 13, 0, clts
  FAULTS 13, 0, rdmsr
  FAULTS 13, 8 * 8 + 2, int 8         ; gate of DPL 0
  FAULTS 13, 200 * 8 + 2, int 200
  mov ax, LDT_SMALL
  mov ss, ax
  mov ebp, 100h
  FAULTS 12, 0, mov eax, [ebp]
  mov esp, 102h
  FAULTS 12, 0, pop eax
  mov esp, 2
  FAULTS 12, 0, push eax
  mov ax, DATA3
  mov ss, ax
  mov esp, 70000h
  TRAPS 3, int3
  pushfd
  pop eax
  or eax, 1000h                       ; IOPL does not change at CPL 3
  push eax
  popfd
  pushfd
  pop eax
  and eax, 3000h
  CHECK_EQ eax, 0
  FAULTS 13, 0, in al, dx
  GO_KERNEL done
done:
  ; A gate that is not present, in a program's and in the processor's own event.
  SET_GATE 21h, 0, 0Eh
  FAULTS 11, 21h * 8 + 2, int 21h
  SET_GATE 6, 0, 0Eh
  FAULTS 11, 6 * 8 + 2 + 1, ud2       ; EXT
  SET_GATE 6, 0, 8Ch                  ; a call gate in the IDT
  FAULTS 13, 6 * 8 + 2 + 1, ud2
  SET_GATE 6, 0, 8Eh, DATA0
  FAULTS 13, DATA0 + 1, ud2
  SET_GATE 6, 0, 8Eh, NOT_PRESENT
  FAULTS 13, NOT_PRESENT + 1, ud2     ; data comes before absence
  SET_GATE 6, 0, 8Eh, 0
  FAULTS 13, 1, ud2
  SET_GATE 21h, 0, 8Eh, 0
  FAULTS 13, 0, int 21h
  SET_GATE 21h, 0, 8Eh, CODE3
  FAULTS 13, CODE3 & ~3, int 21h      ; to an outer level
  PASS
