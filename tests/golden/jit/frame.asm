; bits: 32. A stack frame: one check for all accesses by ESP, whatever was pushed in between.
        push ebp
        mov ebp, esp
        push esi
        sub esp, 24
        mov esi, [ebp + 8]
        mov [esp + 4], esi
        add dword [ebp - 12], 3
        mov al, [ebp + 12]
        add esp, 24
        pop esi
        pop ebp
        ret
