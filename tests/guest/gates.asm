; mode: protected
; Call gates with parameters, conforming code, far returns, task switches of both widths, nested tasks,
; I/O permission bitmap.
%include "protected.inc"

; SET_CALL_GATE selector, offset, access byte, parameters
%macro SET_CALL_GATE 4
  mov dword [gate_descriptor], ((%1) << 16)
  mov word [gate_descriptor], %2
  mov dword [gate_descriptor + 4], ((%3) << 8) | (%4)
%endmacro

start:
  SETUP
  SET_CALL_GATE CODE0, gate_entry, 0ECh, 2
  GO_USER user

user:
  mov ax, DATA3
  mov ds, ax
  mov es, ax
  push dword 11h
  push dword 22h
  mov [user_sp], esp
  call GATE_SEL:0                     ; offset ignored
return_here:
  add dword [user_sp], 8
  CHECK_EQ esp, [user_sp]             ; RETF 8 released the parameters on both stacks
  CHECK_MEM gate_runs, 1
  mov ax, ds
  and eax, 0FFFFh
  CHECK_EQ eax, DATA3
  mov ax, es                          ; the gate loaded ES with DATA0: null after the return
  and eax, 0FFFFh
  CHECK_EQ eax, 0
  mov ax, DATA3
  mov es, ax
  FAULTS 13, CODE0, jmp GATE_SEL:0    ; not to an inner level
  FAULTS 13, TSS_SEL, call TSS_SEL:0  ; busy
  FAULTS 13, TSS2_SEL, jmp TSS2_SEL:0 ; DPL 0

  ; Conforming code runs at the caller's level.
  call CONFORMING | 3:conforming_code
  CHECK_EQ ebx, CONFORMING | 3
  FAULTS 13, CODE0, jmp CODE0:0
  FAULTS 13, CODE1, jmp CODE1 | 3:0

  ; Ports: IOPL 0, so the bitmap decides.
  mov dx, 300h
  FAULTS 13, 0, in al, dx
  GO_KERNEL open_ports
open_ports:
  mov byte [tss + 68h + 300h / 8], ~1
  GO_USER user_ports
user_ports:
  mov ax, DATA3
  mov ds, ax
  mov dx, 300h
  in al, dx
  FAULTS 13, 0, in ax, dx
  inc dx
  FAULTS 13, 0, in al, dx
  mov dx, 0FFF8h
  FAULTS 13, 0, in al, dx             ; the last byte of the map needs one more
  GO_KERNEL gate_faults

gate_faults:
  SET_CALL_GATE CODE0, gate_entry, 06Ch, 0
  FAULTS 11, GATE_SEL, call GATE_SEL:0
  SET_CALL_GATE 0, gate_entry, 0ECh, 0
  FAULTS 13, 0, call GATE_SEL:0
  SET_CALL_GATE DATA0, gate_entry, 0ECh, 0
  FAULTS 13, DATA0, call GATE_SEL:0
  SET_CALL_GATE CODE3, gate_entry, 0ECh, 0
  FAULTS 13, CODE3 & ~3, call GATE_SEL:0
  SET_CALL_GATE CODE0, near_gate, 0ECh, 0
  mov esi, esp
  call GATE_SEL:0
  CHECK_EQ esp, esi

  ; A stack for CPL 0 that cannot be used.
  SET_CALL_GATE CODE1, inner_one, 0ECh, 0
  mov word [tss + 16], READ_ONLY | 1
  GO_USER bad_stack
bad_stack:
  mov ax, DATA3
  mov ds, ax
  FAULTS 10, READ_ONLY, call GATE_SEL:0
  mov word [tss + 16], 0
  FAULTS 10, 0, call GATE_SEL:0
  mov word [tss + 16], DATA1 | 1
  call GATE_SEL:0
  CHECK_EQ ebx, CODE1 | 1
  GO_KERNEL tasks

near_gate:
  lea eax, [esi - 8]
  CHECK_EQ esp, eax
  retf

inner_one:
  mov ebx, cs
  retf

conforming_code:
  mov ebx, cs
  retf

; --- Task switches
tasks:
  ; 32 bits: JMP there and back.
  mov dword [tss2 + 20h], task_jumped
  mov dword [tss2 + 24h], 2
  mov dword [tss2 + 28h], 1234h       ; EAX
  mov dword [tss2 + 38h], 50000h      ; ESP
  mov dword [tss2 + 48h], DATA0
  mov dword [tss2 + 4Ch], CODE0
  mov dword [tss2 + 50h], DATA0
  mov dword [tss2 + 54h], DATA0
  mov dword [tss2 + 58h], 0
  mov dword [tss2 + 5Ch], DATA0
  mov dword [tss2 + 60h], LDT_SEL
  mov ebx, 5678h
  clts
  jmp TSS2_SEL:0
jumped_back:
  CHECK_EQ ebx, 5678h
  CHECK_MEM gdt + TSS2_SEL + 4, TSS2_HIGH_AVAILABLE
  mov eax, cr0
  and eax, 8
  CHECK_EQ eax, 8                     ; TS
  clts

  ; CALL through a task gate nests: NT, back link, both busy; IRET returns.
  mov dword [tss2 + 20h], task_called
  call TASK_GATE:0
  CHECK_MEM gdt + TSS2_SEL + 4, TSS2_HIGH_AVAILABLE
  pushfd
  pop eax
  and eax, 4000h
  CHECK_EQ eax, 0
  mov eax, [tss2 + 24h]
  and eax, 4000h
  CHECK_EQ eax, 0                     ; IRET cleared NT in the task it left

  ; An exception through a task gate: error code on the new stack, RF in the old image.
  SET_GATE 13, 0, 85h, TSS2_SEL
  mov dword [tss2 + 20h], task_fault
  mov ax, 0FF8h
faulting:
  mov ds, ax
  nop
  SET_GATE 13, stubs + 13 * 16, 8Eh
  mov ax, DATA0
  mov ds, ax

  ; Tasks that cannot start.
  mov dword [tss2 + 20h], task_called
  FAULTS 13, TSS_SEL, jmp TSS_SEL:0
  mov dword [gdt + TSS2_SEL], TSS2_LOW - 1
  FAULTS 10, TSS2_SEL, jmp TSS2_SEL:0 ; limit 66h
  mov dword [gdt + TSS2_SEL], TSS2_LOW
  mov byte [gdt + TSS2_SEL + 5], 9
  FAULTS 11, TSS2_SEL, jmp TSS2_SEL:0
  mov byte [gdt + TSS2_SEL + 5], 89h

  ; The trap bit of a TSS.
  mov dword [tss2 + 64h], 1
  SET_GATE 1, task_trap, 8Eh
  mov dword [tss2 + 20h], task_called
  call TSS2_SEL:0
  CHECK_MEM trap_rip, task_called
  mov eax, dr6
  and eax, 0E00Fh
  CHECK_EQ eax, 8000h

  ; 16 bits.
  mov word [tss16 + 0Eh], task_16
  mov word [tss16 + 10h], 2
  mov word [tss16 + 1Ah], 0F000h      ; SP
  mov word [tss16 + 22h], DATA0
  mov word [tss16 + 24h], CODE0
  mov word [tss16 + 26h], DATA16
  mov word [tss16 + 28h], DATA0
  mov word [tss16 + 2Ah], LDT_SEL
  call TSS16_SEL:0
  CHECK_MEM task16_ran, 1
  PASS

TSS2_LOW equ ((AT(tss2) & 0FFFFh) << 16) | 67h
TSS2_HIGH_AVAILABLE equ 8900h | (AT(tss2) >> 16)

task_jumped:
  CHECK_EQ eax, 1234h
  CHECK_EQ esp, 50000h
  str ax
  and eax, 0FFFFh
  CHECK_EQ eax, TSS2_SEL
  CHECK_MEM tss + 20h, jumped_back
  CHECK_MEM gdt + TSS_SEL + 4, 8900h | (AT(tss) >> 16)
  CHECK_MEM gdt + TSS2_SEL + 4, 8B00h | (AT(tss2) >> 16)
  jmp TSS_SEL:0

task_called:
  pushfd
  pop eax
  and eax, 4000h
  CHECK_EQ eax, 4000h
  mov eax, [tss2]
  and eax, 0FFFFh
  CHECK_EQ eax, TSS_SEL
  CHECK_MEM gdt + TSS_SEL + 4, 8B00h | (AT(tss) >> 16)
  iretd

task_fault:
  CHECK_MEM esp, 0FF8h
  CHECK_MEM tss + 20h, faulting
  mov eax, [tss + 24h]
  and eax, 10000h
  CHECK_EQ eax, 10000h
  add dword [tss + 20h], 2            ; past MOV DS, AX
  and dword [tss + 24h], ~10000h
  iretd

task_trap:
  mov eax, [esp]
  mov [trap_rip], eax
  iretd

task_16:
  mov ax, ss
  cmp ax, DATA16
  jne .bad
  inc dword [task16_ran]
  iretd
.bad:
  FAIL

trap_rip: dd 0
task16_ran: dd 0

gate_entry:
  mov ax, DATA0
  mov ds, ax
  mov es, ax
  inc dword [gate_runs]
  CHECK_EQ esp, 60000h - 24
  CHECK_MEM esp, return_here
  CHECK_MEM esp + 4, CODE3
  CHECK_MEM esp + 8, 22h
  CHECK_MEM esp + 12, 11h
  mov eax, [esp + 16]
  CHECK_EQ eax, [user_sp]
  CHECK_MEM esp + 20, DATA3
  mov ax, DATA3
  mov ds, ax
  retf 8

align 4
user_sp: dd 0
gate_runs: dd 0
