; bits: 32. A loop within one function.
        xor eax, eax
.next:  add eax, [esi]
        add esi, 4
        dec ecx
        jnz .next
        hlt
