; A boot sector that relies on what small teaching kernels rely on: the MP configuration table lists every CPU
; (MultiProcessor Specification 1.4, "MP Configuration Table"), and the UART interrupts through the remapped PIC although
; MCR is 0. Prints the number of CPUs, then each character it is sent, on COM1; `q` ends it through isa-debug-exit.
bits 16
org 0x7C00

COM1            equ 0x3F8
UART_VECTOR     equ 0x24
TABLE_POINTER   equ 4
ENTRY_COUNT     equ 34
FIRST_ENTRY     equ 44
PROCESSOR_ENTRY equ 20
OTHER_ENTRY     equ 8

    jmp 0:start
start:
    cli
    xor ax, ax
    mov ss, ax
    mov sp, 0x7000
    mov es, ax
    mov ax, 0xF000
    mov ds, ax
    xor si, si
.search:
    cmp dword [si], "_MP_"
    je .found
    add si, 16
    jnz .search
    jmp count
.found:
    mov si, [si + TABLE_POINTER]
    mov cx, [si + ENTRY_COUNT]
    add si, FIRST_ENTRY
.entry:
    cmp byte [si], 0
    jne .other
    inc byte [es:cpus]
    add si, PROCESSOR_ENTRY - OTHER_ENTRY
.other:
    add si, OTHER_ENTRY
    loop .entry
count:
    xor ax, ax
    mov ds, ax
    mov al, 10
    call put
    mov al, [cpus]
    call put
    mov al, 10
    call put

    mov word [UART_VECTOR * 4], received
    mov word [UART_VECTOR * 4 + 2], 0
    mov al, 0x11
    out 0x20, al
    mov al, UART_VECTOR - 4
    out 0x21, al
    mov al, 4
    out 0x21, al
    mov al, 1
    out 0x21, al
    mov al, 0xEF
    out 0x21, al
    mov dx, COM1 + 2
    xor al, al
    out dx, al                  ; no FIFOs
    mov dx, COM1 + 4
    out dx, al                  ; MCR
    mov dx, COM1 + 1
    inc al
    out dx, al                  ; received data
    mov dx, COM1 + 2
    in al, dx
    mov dx, COM1
    in al, dx
    sti
.wait:
    hlt
    jmp .wait

received:
    mov dx, COM1
    in al, dx
    call put
    cmp al, 'q'
    je .end
    mov al, 0x20
    out 0x20, al
    iret
.end:
    mov dx, 0x501
    mov al, 0x21
    out dx, al
    hlt

put:
    push ax
    mov dx, COM1 + 5
.busy:
    in al, dx
    test al, 0x20
    jz .busy
    pop ax
    mov dx, COM1
    out dx, al
    ret

cpus db "0"

times 510 - ($ - $$) db 0
    dw 0xAA55
