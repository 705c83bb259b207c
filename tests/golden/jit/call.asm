; bits: 32. A call within the region, its return, and one that is not direct.
        push ebx
        call .double
        pop ebx
        jmp [ebx]
.double: lea eax, [eax + eax]
        ret
