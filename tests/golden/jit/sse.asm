; bits: 64. Scalar floating point under the conditions of rule 5, packed integers.
        addsd xmm0, xmm1
        cvtsi2sd xmm2, eax
        mulsd xmm0, [rdi]
        paddd xmm3, xmm4
        ucomisd xmm0, xmm2
        ja .above
        movaps [rsi], xmm3
.above: hlt
