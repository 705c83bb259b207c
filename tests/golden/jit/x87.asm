; bits: 32
; Registers of the x87 are numbered from where ST(0) was at entry; the first block leaves one more than it found.
fld qword [ebx]
fmul st0, st0
fadd qword [ebx + 8]
fxch st1
fstp qword [ebx + 16]
test eax, eax
jz done
fchs
done:
fstp tword [ebx + 24]
ret
