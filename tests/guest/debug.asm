; mode: protected
; Single-stepping, breakpoints of every kind, RF, shadows of MOV SS and STI, NMI blocking, external
; interrupts.
%include "protected.inc"

; COUNTS how many #DB came, and the last DR6, in [debug_count] and [debug_status].
%macro COUNT_DEBUG 0
  SET_GATE 1, count_debug, 8Eh
%endmacro

start:
  SETUP
  COUNT_DEBUG

  ; TF set by POPFD takes effect after the next instruction.
  mov dword [debug_count], 0
  pushfd
  or dword [esp], 100h
  popfd
  nop                                 ; first trap after this
after_nop:
  nop
  pushfd                              ; third
  and dword [esp], ~100h              ; fourth
  popfd                               ; fifth
  nop
  CHECK_MEM debug_count, 5
  CHECK_MEM first_rip, after_nop
  mov eax, [debug_status]
  and eax, 0E00Fh
  CHECK_EQ eax, 4000h                 ; BS

  ; MOV SS holds the trap back for one instruction.
  mov ax, ss
  mov dword [debug_count], 0
  pushfd
  or dword [esp], 100h
  popfd
  mov ss, ax                          ; no trap here
  nop
  pushfd
  and dword [esp], ~100h
  popfd
  CHECK_MEM debug_count, 4

  ; INT n clears TF and takes no trap in its handler.
  SET_GATE 22h, plain_return, 8Eh
  mov dword [debug_count], 0
  pushfd
  or dword [esp], 100h
  popfd
  int 22h
  nop                                 ; trap: IRET brought TF back
  pushfd
  and dword [esp], ~100h
  popfd
  CHECK_MEM debug_count, 4

  ; A repeated string traps after each iteration.
  mov dword [debug_count], 0
  mov ecx, 3
  mov edi, scratch
  pushfd
  or dword [esp], 100h
  popfd
  rep stosb
  pushfd
  and dword [esp], ~100h
  popfd
  CHECK_MEM debug_count, 6

  ; Instruction breakpoint: a fault, once, as RF is set in the saved EFLAGS.
  mov dword [debug_count], 0
  mov eax, broken
  mov dr0, eax
  mov eax, 401h
  mov dr7, eax
  nop
broken:
  inc ebx
  nop
  CHECK_MEM debug_count, 1
  CHECK_MEM first_rip, broken
  mov eax, [debug_flags]
  and eax, 10000h
  CHECK_EQ eax, 10000h
  mov eax, [debug_status]
  and eax, 0E00Fh
  CHECK_EQ eax, 1

  ; On a repeated instruction RF lasts through all iterations.
  mov dword [debug_count], 0
  mov eax, broken_rep
  mov dr0, eax
  mov ecx, 5
  mov edi, scratch
broken_rep:
  rep stosb
  CHECK_MEM debug_count, 1
  CHECK_EQ ecx, 0

  ; Data breakpoints: traps. LEN 4, write: DR1 bits 20-23 = 0Dh.
  mov dword [debug_count], 0
  mov eax, scratch + 4
  mov dr1, eax
  mov eax, 0D00404h
  mov dr7, eax
  mov eax, [scratch + 4]              ; a read is not watched
  mov byte [scratch + 3], 1
  mov byte [scratch + 8], 1
  CHECK_MEM debug_count, 0
  mov byte [scratch + 7], 1
after_store:
  CHECK_MEM debug_count, 1
  CHECK_MEM first_rip, after_store
  mov eax, [debug_status]
  and eax, 0E00Fh
  CHECK_EQ eax, 2
  mov dword [scratch + 1], 0          ; overlaps from below
  CHECK_MEM debug_count, 2
  inc dword [scratch + 4]
  CHECK_MEM debug_count, 3
  push dword [scratch + 4]
  CHECK_MEM debug_count, 3
  pop dword [scratch + 4]
  CHECK_MEM debug_count, 4
  mov eax, 0F00404h                   ; reads too
  mov dr7, eax
  mov eax, [scratch + 4]
  CHECK_MEM debug_count, 5
  cmp byte [scratch + 5], 0
  CHECK_MEM debug_count, 6
  mov esi, scratch + 4
  mov edi, scratch + 40h
  mov ecx, 2
  rep movsb
  CHECK_MEM debug_count, 8
  mov ax, ss
  mov eax, ss
  mov [scratch + 20h], eax
  mov dword [debug_count], 0
  mov eax, scratch + 20h
  mov dr1, eax
  mov ss, [scratch + 20h]             ; the trap waits for one instruction
  nop
after_ss:
  CHECK_MEM debug_count, 1
  CHECK_MEM first_rip, after_ss

  ; I/O breakpoint needs CR4.DE.
  mov dword [debug_count], 0
  mov eax, 80h
  mov dr1, eax
  mov eax, cr4
  or al, 8
  mov cr4, eax
  mov eax, 200404h
  mov dr7, eax
  out 80h, al
  CHECK_MEM debug_count, 1
  in al, 81h
  CHECK_MEM debug_count, 1
  FAULTS 6, 0, mov eax, dr4

  ; General detect.
  mov eax, 2400h
  mov dr7, eax
  mov dword [debug_count], 0
  mov dword [skip_bytes], 3
  mov eax, dr3
  mov dword [skip_bytes], 0
  CHECK_MEM debug_count, 1
  mov eax, [debug_status]
  and eax, 0E000h
  CHECK_EQ eax, 2000h                 ; BD; GD is clear in the handler
  xor eax, eax
  mov dr7, eax
  mov eax, dr7
  CHECK_EQ eax, 400h
  xor eax, eax
  mov dr6, eax
  mov eax, dr6
  CHECK_EQ eax, 0FFFF0FF0h
  mov dword [debug_count], 0
  db 0F1h                             ; INT1
  CHECK_MEM debug_count, 1

  ; External interrupts: the shadow of STI.
  SET_GATE 40h - 20h, interrupt, 8Eh
  mov al, 20h
  out 0F1h, al
  mov dword [interrupts], 0
  sti
  inc dword [interrupts]              ; runs before the interrupt is taken
  nop
  CHECK_MEM interrupts, 11h
  cli
  mov al, 20h
  out 0F1h, al
  mov dword [interrupts], 0
  sti
  cli                                 ; never open
  nop
  CHECK_MEM interrupts, 0
  mov ax, ss
  sti
  nop                                 ; taken after this
  CHECK_MEM interrupts, 10h
  mov al, 20h
  cli
  out 0F1h, al
  mov dword [interrupts], 0
  sti
  hlt                                 ; wakes at once
  CHECK_MEM interrupts, 10h
  cli

  ; NMI: not masked by IF, blocked until IRET.
  SET_GATE 2, nmi_handler, 8Eh
  out 0F0h, al
  CHECK_MEM nmis, 2
  CHECK_MEM nmi_depth_seen, 1
  ; IRET that faults has unblocked it all the same.
  mov dword [nmis], 0
  SET_GATE 2, nmi_bad_return, 8Eh
  SET_GATE 13, bad_return_fault, 8Eh
  out 0F0h, al
  CHECK_MEM nmis, 2
  PASS

plain_return:
  iretd

interrupt:
  add dword [interrupts], 10h
  iretd

nmi_handler:
  inc dword [nmis]
  inc dword [nmi_depth]
  mov ecx, [nmi_depth]
  cmp ecx, [nmi_depth_seen]
  jbe .lower
  mov [nmi_depth_seen], ecx
.lower:
  cmp dword [nmis], 1
  jne .second
  out 0F0h, al                        ; must wait
  nop
  CHECK_MEM nmis, 1
.second:
  dec dword [nmi_depth]
  iretd

nmi_bad_return:
  inc dword [nmis]
  cmp dword [nmis], 2
  je .leave
  push dword 2
  push dword DATA0
  push dword 0
  out 0F0h, al
  iretd                               ; #GP(DATA0), and the second NMI before its handler's first instruction
.leave:
  iretd

bad_return_fault:
  add esp, 4 + 12 + 12                ; error code, the handler's frame, the bad frame
  iretd

count_debug:
  push eax
  inc dword [debug_count]
  cmp dword [debug_count], 1
  jne .later
  mov eax, [esp + 4]
  mov [first_rip], eax
.later:
  mov eax, [esp + 12]
  mov [debug_flags], eax
  mov eax, dr6
  mov [debug_status], eax
  xor eax, eax
  mov dr6, eax
  mov eax, [skip_bytes]
  add [esp + 4], eax
  pop eax
  iretd

align 4
debug_count: dd 0
first_rip: dd 0
debug_flags: dd 0
debug_status: dd 0
skip_bytes: dd 0
interrupts: dd 0
nmis: dd 0
nmi_depth: dd 0
nmi_depth_seen: dd 0
align 4096
scratch: times 80h db 0
