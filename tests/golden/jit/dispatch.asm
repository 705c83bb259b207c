; bits: 32
; A jump by a table of addresses, to five places that all come back.
next:
	movzx eax, byte [esi]
	inc esi
	jmp [0x2000 + eax * 4]
zero:
	xor edx, edx
	jmp next
one:
	inc edx
	jmp next
twice:
	add edx, edx
	jmp next
swap:
	xchg edx, ecx
	jmp next
less:
	sub edx, ecx
	jb zero
	jmp next
