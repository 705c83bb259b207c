; An option ROM that goes through every way to start a PC again, with SeaBIOS in between: the shutdown codes of
; CMOS byte 0x0F with the vector at 40:67, suspend to RAM with the waking vector of the FACS, and a hard reset.
; It says on COM1 where it has come by. Byte 0x5000 outlives the hard reset.
bits 16
org 0

db 0x55, 0xAA, 2                ; 1024 bytes; the test fixes the checksum
    jmp start

phase       equ 0x5000
trampoline  equ 0x5100
warm_vector equ 0x467
pm_block    equ 0x600

%macro say 1
    mov si, %1
    call print
%endmacro

%macro shutdown 2               ; code for CMOS byte 0x0F, where to go on
    mov word [warm_vector], %2
    mov [warm_vector + 2], cs
    mov al, 0x0F
    out 0x70, al
    mov al, %1
    out 0x71, al
%endmacro

start:
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7000
    cmp byte [phase], 5
    je after_hard_reset
    say .text
    mov al, 0x5A                ; what a reset of the CPU alone leaves in the PIC
    out 0xA1, al
    shutdown 0x0A, after_keyboard
    mov al, 0xFE
    out 0x64, al
    jmp stop
.text db "resets: start", 13, 10, 0

after_keyboard:
    call settle
    say .text
    in al, 0xA1
    cmp al, 0x5A
    jne failed
    shutdown 0x05, after_triple_fault
    lidt [cs:nothing]
    int3
.text db "resets: i8042", 13, 10, 0

after_triple_fault:
    call settle
    say .text
    shutdown 0x0A, after_port_92
    in al, 0x92
    and al, 0xFE
    out 0x92, al
    or al, 1
    out 0x92, al
    jmp stop
.text db "resets: triple fault", 13, 10, 0

after_port_92:
    call settle
    say .text
    mov byte [trampoline], 0xEA ; jmp far
    mov word [trampoline + 1], after_sleep
    mov [trampoline + 3], cs
    call find_facs              ; fs: flat, ebx: FACS
    mov dword [fs:ebx + 12], trampoline
    mov dx, pm_block + 2        ; RTC_EN
    mov ax, 0x400
    out dx, ax
    mov ah, 0xC0                ; alarm at any second, minute, hour
    mov bl, 1
.alarm:
    mov al, bl
    call write_cmos
    add bl, 2
    cmp bl, 7
    jne .alarm
    mov al, 0x0B
    mov ah, 0x22
    call write_cmos
    mov dx, pm_block + 4        ; SLP_TYP of S3, SLP_EN
    mov ax, 0x2400
    out dx, ax
    jmp stop
.text db "resets: port 92", 13, 10, 0

after_sleep:
    call settle
    say .text
    mov dx, pm_block
    in ax, dx
    and ax, 0x8400              ; WAK_STS, RTC_STS
    cmp ax, 0x8400
    jne failed
    mov byte [phase], 5
    mov dx, 0xCF9
    mov al, 2
    out dx, al
    mov al, 6
    out dx, al
    jmp stop
.text db "resets: S3", 13, 10, 0

after_hard_reset:
    say .text
    jmp stop
.text db "resets: all done", 13, 10, 0

failed:
    say .text
    jmp stop
.text db "resets: FAILED", 13, 10, 0

stop:
    hlt
    jmp stop

settle:
    cli
    cld
    pop bx
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7000
    jmp bx

write_cmos:                     ; al = index, ah = value
    out 0x70, al
    mov al, ah
    out 0x71, al
    ret

print:                          ; cs:si, to COM1
    cs lodsb
    test al, al
    jz .end
    mov ah, al
    mov dx, 0x3FD
.wait:
    in al, dx
    test al, 0x20
    jz .wait
    mov al, ah
    mov dx, 0x3F8
    out dx, al
    jmp print
.end:
    ret

; RSDP, RSDT, FADT, FACS.
find_facs:
    mov ax, cs
    movzx eax, ax
    shl eax, 4
    add eax, gdt
    mov [0x5202], eax
    mov word [0x5200], 15
    lgdt [0x5200]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov fs, bx
    and al, 0xFE
    mov cr0, eax
    mov ebx, 0xF0000 - 16
.scan:
    add ebx, 16
    cmp ebx, 0x100000
    je failed
    cmp dword [fs:ebx], 'RSD '
    jne .scan
    cmp dword [fs:ebx + 4], 'PTR '
    jne .scan
    mov ebx, [fs:ebx + 16]
    mov ecx, [fs:ebx + 4]
    add ecx, ebx
.table:
    cmp ebx, ecx
    jae failed
    mov edx, [fs:ebx + 36]
    add ebx, 4
    cmp dword [fs:edx], 'FACP'
    jne .table
    mov ebx, [fs:edx + 36]
    cmp dword [fs:ebx], 'FACS'
    jne failed
    ret

nothing dw 0
    dd 0
align 8
gdt dq 0
    dq 0x00CF93000000FFFF       ; data, flat

times 1024 - ($ - $$) db 0
