; mode: protected
; LAR, LSL, VERR, VERW, ARPL; the alignment check; CR0 and debug-register rules seen from a program.
%include "protected.inc"

; ZF_IS 0 or 1
%macro ZF_IS 1
  %if %1
  jz %%good
  %else
  jnz %%good
  %endif
  FAIL
%%good:
%endmacro

start:
  SETUP
  mov ecx, DATA0
  lar eax, cx
  ZF_IS 1
  CHECK_EQ eax, 0C09300h
  lsl eax, cx
  ZF_IS 1
  CHECK_EQ eax, 0FFFFFFFFh
  mov ecx, TSS_SEL
  lar eax, cx
  ZF_IS 1
  CHECK_EQ eax, 8B00h
  lsl eax, cx
  ZF_IS 1
  CHECK_EQ eax, 2067h
  mov ecx, TASK_GATE
  lar eax, cx
  ZF_IS 1
  lsl eax, cx
  ZF_IS 0
  CHECK_EQ eax, 8500h                 ; LAR's answer: LSL wrote nothing
  xor ecx, ecx
  lar eax, cx
  ZF_IS 0
  mov ecx, 0FF8h
  lar eax, cx
  ZF_IS 0
  mov ecx, DATA0 | 3                  ; RPL above DPL
  lar eax, cx
  ZF_IS 0
  mov ecx, CONFORMING | 3
  lar eax, cx
  ZF_IS 1
  mov ecx, NOT_PRESENT
  lar eax, cx
  ZF_IS 1
  mov eax, 12345678h
  mov ecx, DATA0
  lar ax, cx
  CHECK_EQ eax, 12349300h
  mov ecx, CODE0
  verr cx
  ZF_IS 1
  verw cx
  ZF_IS 0
  mov ecx, EXECUTE_ONLY
  verr cx
  ZF_IS 0
  mov ecx, READ_ONLY
  verw cx
  ZF_IS 0
  verr cx
  ZF_IS 1
  mov ecx, TSS_SEL
  verr cx
  ZF_IS 0
  mov eax, 10h
  mov ebx, 23h
  arpl ax, bx
  ZF_IS 1
  CHECK_EQ eax, 13h
  arpl ax, bx
  ZF_IS 0

  ; The accessed bit of a descriptor.
  and byte [gdt + READ_ONLY + 5], ~1
  mov ecx, READ_ONLY
  lar eax, cx
  CHECK_EQ eax, 0C09000h
  mov fs, cx
  lar eax, cx
  CHECK_EQ eax, 0C09100h

  ; Alignment: CR0.AM, AC and CPL 3.
  mov eax, cr0
  or eax, 40000h
  mov cr0, eax
  pushfd
  or dword [esp], 40000h
  popfd
  mov eax, [scratch + 1]              ; not at CPL 0
  push DATA3
  push dword 70000h
  push dword 40002h
  push CODE3
  push dword user
  iretd
user:
  mov ax, DATA3
  mov ds, ax
  mov es, ax
  FAULTS 17, 0, mov eax, [scratch + 1]
  FAULTS 17, 0, mov [scratch + 2], eax
  FAULTS 17, 0, mov ax, [scratch + 1]
  FAULTS 17, 0, inc word [scratch + 3]
  FAULTS 17, 0, fld qword [scratch + 4]
  mov al, [scratch + 1]
  mov ax, [scratch + 2]
  mov eax, [scratch + 4]
  mov esp, 70002h
  FAULTS 17, 0, push eax
  mov esp, 70000h
  FAULTS 17, 0, times 1 call [scratch + 1]
  pushfd
  and dword [esp], ~40000h
  popfd
  mov eax, [scratch + 1]

  ; DS keeps its rights; null after a return that lowers the privilege.
  GO_KERNEL kernel
kernel:
  ; LMSW sets PE but does not clear it; SMSW reads CR0.
  xor eax, eax
  lmsw ax
  smsw eax
  mov ecx, cr0
  CHECK_EQ eax, ecx
  and eax, 1
  CHECK_EQ eax, 1
  ; ET is fixed.
  mov eax, cr0
  and eax, ~10h
  mov cr0, eax
  mov eax, cr0
  and eax, 10h
  CHECK_EQ eax, 10h
  mov eax, 20000000h | 11h            ; NW without CD
  FAULTS 13, 0, mov cr0, eax
  PASS

align 16
scratch: times 16 db 0
