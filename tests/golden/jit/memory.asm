; bits: 64. Loads and stores through the TLB, with their side exit; read-modify-write.
        mov rax, [rbx + rcx*8 + 16]
        mov [rdi], eax
        add word [rsi + 2], 7
        movzx edx, byte [rbx - 1]
        hlt
