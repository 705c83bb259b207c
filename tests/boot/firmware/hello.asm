; The smallest BIOS replacement: 64 KiB, entered at F000:FFF0. Says hello on COM1, writes POST codes to the ports that
; such images use, and ends through isa-debug-exit.
bits 16
org 0

start:
    mov al, 0x42
    out 0x80, al
    mov dx, 0x190
    out dx, al
    cld
    mov si, text
.next:
    cs lodsb
    test al, al
    jz .end
    mov dx, 0x3F8
    out dx, al
    jmp .next
.end:
    mov dx, 0x501
    mov al, 0x21
    out dx, al
    hlt
text db "hello from F000", 13, 10, 0

times 0xFFF0 - ($ - $$) db 0xFF
    jmp 0xF000:start
times 0x10000 - ($ - $$) db 0
