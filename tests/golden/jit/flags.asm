; bits: 64. Comparisons fused with what uses them; flags that nobody sees.
        cmp rax, rbx
        jb .less
        test ecx, ecx
        setz dl
        add rax, 5
        sub rax, rcx
        cmovs rax, rdx
        inc esi
.less:  adc rdi, 0
        hlt
