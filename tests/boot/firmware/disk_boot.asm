; A boot sector for a disk (MBR) or a CD (El Torito, no emulation). Reads a text through INT 13h and prints it on COM1;
; from a disk it also reads the sector through the ports of the primary channel and compares. Ends through
; isa-debug-exit.
bits 16
org 0x7C00

FIRST_CD_DRIVE equ 0xE0
CD_TEXT_BLOCK equ 23
FROM_BIOS equ 0x8000
FROM_PORTS equ 0x9000

    jmp 0:start
start:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7000
    cld
    cmp dl, FIRST_CD_DRIVE
    jb .read
    mov byte [packet.block], CD_TEXT_BLOCK
.read:
    push dx
    mov si, packet
    mov ah, 0x42
    int 0x13
    mov si, failed
    jc end
    mov si, FROM_BIOS
    call print
    pop dx
    mov si, done
    cmp dl, FIRST_CD_DRIVE
    jae end

    mov dx, 0x1F6
    mov al, 0xE0
    out dx, al
    mov dx, 0x1F2
    mov al, 1
    out dx, al
    inc dx
    out dx, al
    inc dx
    xor al, al
    out dx, al
    inc dx
    out dx, al
    mov dx, 0x1F7
    mov al, 0x20
    out dx, al
.wait:
    in al, dx
    test al, 0x80
    jnz .wait
    test al, 0x08
    jz .wait
    mov dx, 0x1F0
    mov cx, 256
    mov di, FROM_PORTS
    rep insw
    mov cx, 512
    mov si, FROM_BIOS
    mov di, FROM_PORTS
    repe cmpsb
    mov si, differs
    jne end
    mov si, agree
end:
    call print
    mov dx, 0x501
    mov al, 0x21
    out dx, al
    hlt

print:
    mov dx, 0x3F8
.next:
    lodsb
    test al, al
    jz .end
    out dx, al
    jmp .next
.end:
    ret

failed db "INT 13h failed", 13, 10, 0
differs db "the ports differ", 13, 10, 0
agree db "the ports agree", 13, 10, 0
done db "done", 13, 10, 0

packet:
    db 16, 0
    dw 1
    dw FROM_BIOS, 0
.block:
    dq 1

times 510 - ($ - $$) db 0
    dw 0xAA55
