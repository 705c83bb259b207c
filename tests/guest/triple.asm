; mode: protected
; end: shutdown
; expect: rbx=1234
; A fault while a double fault is delivered shuts the processor down; what led there changed no register.
%include "protected.inc"

start:
  SETUP
  mov ebx, 1234h
  SET_GATE 13, 0, 0Eh
  SET_GATE 11, 0, 0Eh
  SET_GATE 8, 0, 0Eh
  mov ax, 0FF8h
  mov ds, ax
  FAIL
