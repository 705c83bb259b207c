; bits: 32. String instructions, alone and repeated.
        lodsd
        stosb
        rep movsd
        hlt
