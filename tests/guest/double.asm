; mode: protected
; Which pairs of exceptions make a double fault, and which are served one after the other.
%include "protected.inc"

start:
  SETUP
  ; Contributory during contributory: #NP while delivering #GP.
  SET_GATE 13, 0, 0Eh
  mov ax, 0FF8h
  FAULTS 8, 0, mov ds, ax
  ; Contributory during a benign one: served as itself.
  SET_GATE 13, stubs + 13 * 16, 8Eh
  SET_GATE 6, 0, 0Eh
  FAULTS 11, 6 * 8 + 3, ud2
  SET_GATE 0, 0, 0Eh
  xor edx, edx
  xor ecx, ecx
  FAULTS 8, 0, div ecx                ; #DE is contributory
  SET_GATE 0, stubs, 8Eh
  SET_GATE 11, 0, 0Eh
  FAULTS 8, 0, ud2                    ; #UD, then #NP, then #NP
  PASS
