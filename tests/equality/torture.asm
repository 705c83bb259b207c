; What generated code could get wrong, as one firmware image that runs by itself: code that changes (its own page,
; another one, the block that runs, through another linear address, by DMA, by another CPU), faults and page faults in loops,
; page-crossing code and data, timer interrupts at any instruction, device memory, other modes, A20, debug registers,
; single steps, translations that another CPU takes away, calls of the kernel from CPL 3 and 0. Everything ends in a checksum and HLT; what counts is that
; every engine passes through the same states. nasm -f bin, 64 KiB, for -bios, two CPUs.
        cpu 686
        bits 16
        org 0

kCode           equ 0x10000             ; where it runs, copied out of the ROM
kStack          equ 0x9000
kApStack        equ 0x8000
kDirectory      equ 0x20000             ; page directory and two tables
kTable          equ 0x21000
kHighTable      equ 0x22000
kTss            equ 0x2E000
kData           equ 0x30000
kShared         equ 0x2F000             ; words both CPUs use
kAlias          equ 0x40000000          ; the first 4 MiB again
kLazy           equ 0x50000000          ; pages that come when they are touched
kApic           equ 0xFEE00000
%define there(label) (kCode + label)

%macro random 0                         ; EAX = next number; EDI is the generator's state
        imul edi, edi, 1664525
        add edi, 1013904223
        mov eax, edi
        shr eax, 9
%endmacro

        bits 32
main:
        mov esp, kStack
        mov edi, 12345
        call build_tables
        call interrupts_on
        call start_other_cpu
        mov dword [kShared + 32], 12    ; rounds
.round:
        call arithmetic
        call change_code
        call change_running_block
        call change_through_alias
        call change_by_dma
        call lazy_pages
        call divide_faults
        call crossing
        call device_memory
        call sixteen_bits
        call address_line
        call single_steps
        call watchpoints
        call strings
        call shoot_down
        call interrupt_flag
        call system_calls
        dec dword [kShared + 32]
        jnz .round
        mov dword [kShared], 1          ; the other CPU may stop
.wait:  pause
        cmp dword [kShared + 4], 1
        jne .wait
        cli
        mov eax, [kShared + 36]
        hlt
        jmp $

; A loop with all kinds of flags, while the timer interrupts.
arithmetic:
        mov ecx, 4000
.loop:  random
        add ebx, eax
        adc esi, ebx
        rol esi, 3
        cmp eax, ebx
        setb dl
        sbb ebp, esi
        jo .over
        inc ebp
.over:  movzx edx, dl
        lea ebx, [ebx + edx*4 + 7]
        push ebx
        pushf
        pop edx
        and edx, 0x8D5
        add esi, edx
        pop eax
        xor [kData + 8], eax
        loop .loop
        add [kShared + 36], esi
        ret

; A function whose constant changes now and then; it lies in another page than the loop.
change_code:
        mov ecx, 300
.loop:  random
        test al, 15
        jnz .call
        mov [there(constant) + 1], eax
.call:  mov eax, there(constant)
        call eax
        add [kShared + 36], eax
        loop .loop
        ret

; Writes the operand of an instruction a little further on in the same block.
change_running_block:
        mov ecx, 200
.loop:  random
        test al, 7
        jnz .ahead
        mov [there(.patched) + 1], eax
.ahead: add ebx, 1
        nop
.patched: mov edx, 0x11111111
        add [kShared + 36], edx
        dec ecx
        jnz .loop
        ret

change_through_alias:
        mov ecx, 200
.loop:  random
        test al, 15
        jnz .call
        mov [kAlias + there(constant) + 1], al
        mov [kAlias + there(second) + 1], ah
.call:  mov eax, there(constant)
        call eax
        mov ebx, kAlias + there(second)
        call ebx
        add [kShared + 36], eax
        loop .loop
        ret

; fw_cfg's DMA writes its signature, "QEMU", over four INC EAX: PUSH ECX; INC EBP; DEC EBP; PUSH EBP.
change_by_dma:
        mov ecx, 200
.loop:  test cl, 31
        jnz .call
        mov dword [kData + 0x400], 0x0A000000   ; select item 0 and read, big-endian as all four
        mov dword [kData + 0x404], 0x04000000
        mov dword [kData + 0x408], 0
        mov eax, there(replaced)
        bswap eax
        mov [kData + 0x40C], eax
        xor eax, eax
        mov edx, 0x514
        out dx, eax
        mov eax, kData + 0x400
        bswap eax
        mov edx, 0x518
        out dx, eax
.call:  call counted
        add [kShared + 36], eax
        mov al, cl
        and al, 31
        cmp al, 16
        jne .next
        mov dword [there(replaced)], 0x40404040
.next:  dec ecx
        jnz .loop
        ret
counted:
        mov ebx, esp
        xor eax, eax
replaced:
        times 4 inc eax
        sub ebx, esp
        add esp, ebx
        add eax, ebx
        ret

; Pages that the page fault handler maps; they are taken away again.
lazy_pages:
        mov ecx, 120
.loop:  random
        and eax, 0x1F
        shl eax, 12
        mov ebx, eax
        add eax, kLazy + 4094           ; into the next page
        add [eax], ecx
        mov edx, [eax]
        add [kShared + 36], edx
        test cl, 7
        jnz .next
        shr ebx, 10
        mov dword [kHighTable + ebx], 0
        invlpg [eax - 4094]
.next:  loop .loop
        ret

; #DE in the middle of a block; the handler skips the instruction.
divide_faults:
        mov ecx, 60
.loop:  mov eax, ecx
        xor edx, edx
        mov ebx, ecx
        and ebx, 3
        add esi, eax
        div ebx
        nop
        add esi, eax
        add [kShared + 36], esi
        loop .loop
        ret

; Code that lies across a border of pages, and data that does.
crossing:
        mov ecx, 300
.loop:  mov eax, there(across)
        call eax
        mov eax, kData + 0xFFD
        add eax, ecx
        mov [eax], edi
        add edx, [eax - 2]
        push word [kData + 0xFFF]
        pop word [kData + 0x1FFF]
        add [kShared + 36], edx
        loop .loop
        ret

; The local APIC: task priority, timer count, ID.
device_memory:
        mov ecx, 150
.loop:  mov eax, ecx
        and eax, 0x10
        mov [kApic + 0x80], eax
        add edx, [kApic + 0x80]
        add edx, [kApic + 0x20]
        mov eax, kApic + 0x80
        and dword [eax], 0
        add [kShared + 36], edx
        loop .loop
        ret

sixteen_bits:
        mov ecx, 40
.loop:  call 0x18:short_code
        add [kShared + 36], ax
        loop .loop
        ret

; Port 92h: while A20 is off the second megabyte is the first.
address_line:
        mov ecx, 20
.loop:  in al, 0x92
        and al, 0xFC
        out 0x92, al
        mov [0x130000], ecx
        add esi, [kData]
        or al, 2
        out 0x92, al
        mov [0x130000], edi
        add esi, [kData]
        add [kShared + 36], esi
        loop .loop
        ret

single_steps:
        mov ecx, 20
.loop:  pushf
        or dword [esp], 0x100
        popf
        add ebx, ecx
        xor ebx, edi
        mov [kData + 16], ebx
        pushf
        and dword [esp], ~0x100
        popf
        add [kShared + 36], ebx
        loop .loop
        ret

watchpoints:
        mov eax, kData + 20
        mov dr0, eax
        mov eax, there(.here)
        mov dr1, eax
        mov ecx, 40
.loop:  xor eax, eax
        test cl, 8
        jz .off
        mov eax, 0x000D0405             ; writes of four bytes at DR0, code at DR1
.off:   mov dr7, eax
        mov [kData + 20], ecx
        inc ebx
.here:  add [kShared + 36], ebx
        loop .loop
        xor eax, eax
        mov dr7, eax
        ret

strings:
        push edi
        mov ecx, 30
.loop:  push ecx
        mov esi, there(main)
        mov edi, kData + 0xF80
        shl ecx, 3
        rep movsb
        mov edi, kData + 0xF80
        mov ecx, 40
        mov eax, esi
        rep stosd
        lodsd
        add [kShared + 36], eax
        mov esi, there(main)
        mov edi, there(main)
        mov ecx, 100
        repe cmpsb
        adc [kShared + 36], ecx
        pop ecx
        loop .loop
        pop edi
        ret

; STI's and MOV SS's shadows and POPF while the timer interrupts, segments that change what is flat.
interrupt_flag:
        mov ecx, 400
.loop:  cli
        random
        mov ebx, cr0
        pushf
        add ebx, eax
        sti
        add ebx, [kShared + 16]
        pushf
        cli
        popf
        inc ebx
        popf
        adc ebx, ebx
        mov ax, ss
        mov ss, ax
        add ebx, [kShared + 16]
        clts
        mov eax, 0x38
        test cl, 3
        jnz .flat
        mov es, ax
        push dword 0x38
        pop fs
        mov edx, [es:16]
        add edx, [fs:20]
        add ebx, edx
.flat:  push ss
        pop es
        mov edx, cr3
        add ebx, [es:edx + 4]
        add [kShared + 36], ebx
        sti
        loop .loop
        ret

; A program of CPL 3 that calls INT 31h, which comes back by IRET; INT 32h ends it.
system_calls:
        push edi
        mov dword [kTss + 4], kStack - 0x800
        mov dword [kTss + 8], 16
        mov [kTss + 0x80], esp
        mov byte [there(tss_descriptor) + 5], 0x89
        mov ax, 0x30
        ltr ax
        push dword 0x2B
        push dword kStack - 0x400
        push dword 0x202
        push dword 0x23
        push dword there(.user)
        iret
.user:  mov ax, 0x2B
        mov ds, ax
        mov es, ax
        mov ecx, 200
.loop:  mov eax, ecx
        int 0x31
        add ebx, eax
        test cl, 7
        jnz .calm
        xor ebx, ebx
        div ebx
        mov edx, [kLazy + 0x1000]
.calm:  loop .loop
        int 0x32
on_call:
        push ds
        push fs
        mov edx, 16
        mov ds, edx
        mov edx, 0x38
        mov fs, edx
        add eax, [fs:16]
        sti
        inc dword [kShared + 48]
        add [kShared + 36], eax
        mov edx, cr0
        add eax, edx
        test al, 1
        jz .last
        push eax
        mov al, 1
        int 0x33                                ; the same level
        pop eax
.last:  cli
        pop fs
        pop ds
        iret
on_inner_call:
        add [kShared + 36], esp
        iret
on_end:
        mov eax, 16
        mov ds, eax
        mov es, eax
        mov esp, [kTss + 0x80]
        add [kShared + 36], ebx
        pop edi
        sti
        ret

; Changes a translation that the other CPU uses in a loop, tells it, and waits until it has heard.
shoot_down:
        mov ecx, 20
.loop:  mov eax, ecx
        and eax, 1
        shl eax, 12
        add eax, kData + 0x4007
        mov [kTable + 0x3C * 4], eax
        invlpg [0x3C000]
        mov dword [kShared + 8], 1
        mov dword [kApic + 0x310], 0x01000000
        mov dword [kApic + 0x300], 0x4030       ; vector 30h to CPU 1
.wait:  pause
        cmp dword [kShared + 8], 0
        jne .wait
        mov [kData + 0x4000], ecx
        mov [kData + 0x5000], edi
        mov eax, edi
        mov [there(constant) + 1], al            ; the other CPU is calling it
        loop .loop
        ret

; The other CPU: calls what the first one changes, reads through what it remaps.
other_cpu:
        mov esp, kApStack
        mov eax, [kApic + 0xF0]
        or eax, 0x1FF
        mov [kApic + 0xF0], eax
        sti
        mov dword [kShared + 12], 1
.loop:  mov eax, there(constant)
        call eax
        add ebx, eax
        add ebx, [0x3C000]
        xor [kShared + 40], ebx
        mov ecx, 50
.spin:  lea ebx, [ebx + ecx*2]
        lock inc dword [kShared + 44]
        loop .spin
        cmp dword [kShared], 0
        je .loop
        mov dword [kShared + 4], 1
        cli
        hlt

build_tables:
        push edi
        xor eax, eax
        mov edi, kShared
        mov ecx, 64
        rep stosd
        mov edi, kDirectory
        mov ecx, 3 * 1024
        rep stosd
        mov dword [kDirectory], kTable + 7
        mov dword [kDirectory + (kAlias >> 22) * 4], 0x83
        mov dword [kDirectory + (kLazy >> 22) * 4], kHighTable + 7
        mov dword [kDirectory + (kApic >> 22) * 4], (kApic & 0xFFC00000) + 0x83
        mov eax, 7
        xor ebx, ebx
.page:  mov [kTable + ebx*4], eax
        add eax, 0x1000
        inc ebx
        cmp ebx, 1024
        jne .page
        pop edi
paging_on:
        mov eax, cr4
        or eax, 0x10
        mov cr4, eax
        mov eax, kDirectory
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80010000
        mov cr0, eax
        lidt [there(idt_pointer)]
        ret

; PIC at 20h, PIT channel 0 at about 9 us, interrupts allowed.
interrupts_on:
        mov al, 0x11
        out 0x20, al
        mov al, 0x20
        out 0x21, al
        mov al, 4
        out 0x21, al
        mov al, 1
        out 0x21, al
        mov al, 0xFE
        out 0x21, al
        mov al, 0x34
        out 0x43, al
        mov al, 11
        out 0x40, al
        mov al, 0
        out 0x40, al
        mov eax, [kApic + 0xF0]
        or eax, 0x1FF
        mov [kApic + 0xF0], eax
        mov dword [kApic + 0x350], 0x700        ; LINT0: ExtINT
        sti
        ret

start_other_cpu:
        mov dword [kApic + 0x310], 0x01000000
        mov dword [kApic + 0x300], 0x4500
        mov ecx, 20000
.delay: loop .delay
        mov dword [kApic + 0x310], 0x01000000
        mov dword [kApic + 0x300], 0x4600 | ((kCode + (ap_start - $$)) >> 12)
        mov ecx, 100000
.wait:  pause
        cmp dword [kShared + 12], 1
        je .done
        loop .wait
.done:  ret

; Handlers
on_timer:
        push eax
        inc dword [kShared + 16]
        mov eax, [esp + 4]
        add [kShared + 36], eax                 ; where it came counts
        mov al, 0x20
        out 0x20, al
        pop eax
        iret
on_divide:
        add dword [esp], 2                      ; DIV EBX
        inc dword [kShared + 20]
        iret
on_debug:
        push eax
        mov eax, dr6
        add [kShared + 36], eax
        xor eax, eax
        mov dr6, eax
        inc dword [kShared + 24]
        or dword [esp + 12], 0x10000            ; RF
        pop eax
        iret
on_page_fault:
        push eax
        push ebx
        mov eax, cr2
        sub eax, kLazy
        cmp eax, 0x40000
        jae .wrong
        shr eax, 12
        mov ebx, eax
        and ebx, 7
        shl ebx, 12
        add ebx, kData + 0x8007
        mov [kHighTable + eax*4], ebx
        inc dword [kShared + 28]
        pop ebx
        pop eax
        add esp, 4
        iret
.wrong: cli
        hlt
on_shoot_down:
        push eax
        invlpg [0x3C000]
        mov dword [kShared + 8], 0
        mov dword [kApic + 0xB0], 0
        pop eax
        iret
on_other:
        cli
        hlt

        bits 16
short_code:
        mov ax, cx
        mov bx, 0x1234
        add ax, bx
        rol ax, 3
        cmp ax, 0x8000
        ja .above
        sub ax, 5
.above: push ax
        pop dx
        o32 retf

        align 4096
        bits 32
constant:
        mov eax, 0x22222222
        ret
second:
        mov al, 3
        add eax, 5
        ret
        times 4093 - (($ - $$) & 4095) nop
across:
        mov edx, 0x12345678                     ; 3 bytes before the page's end
        add edx, ecx
        ret

        align 8
gdt:    dq 0
        dq 0x00CF9B000000FFFF
        dq 0x00CF93000000FFFF
        dq 0x00009B000000FFFF | (kCode << 16)   ; 16-bit code
        dq 0x00CFFB000000FFFF                   ; 20h, 28h: of CPL 3
        dq 0x00CFF3000000FFFF
tss_descriptor:
        dq 0x0000890000000067 | (kTss << 16)
        dq 0x0040F30000000FFF | (kShared << 16) ; 38h: data with a base and a limit
gdt_pointer:
        dw 63
        dd there(gdt)
idt_pointer:
        dw 0x34 * 8 - 1
        dd there(idt)
%macro gate 1-2 0x8E00
        dw %1 - $$, 8, %2, kCode >> 16
%endmacro
        align 8
idt:    gate on_divide
        gate on_debug
        times 12 * 4 dw 0
        gate on_page_fault
        times 17 * 4 dw 0
        gate on_timer
        times 15 * 4 dw 0
        gate on_shoot_down
        gate on_call, 0xEE00
        gate on_end, 0xEE00
        gate on_inner_call

; Real mode: the other CPU starts here, at a page's start; the first one at FFF0.
        align 4096
        bits 16
ap_start:
        cli
        o32 lgdt [cs:.table - ap_start]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 8:there(ap_protected)
.table: dw 63
        dd there(gdt)

boot:   cli
        cld
        in al, 0x92
        or al, 2
        out 0x92, al
        mov ax, 0xF000
        mov ds, ax
        mov ax, kCode >> 4
        mov es, ax
        xor si, si
        xor di, di
        mov cx, 0x8000
        rep movsw
        o32 lgdt [gdt_pointer]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 8:there(protected)

        bits 32
protected:
        mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        jmp main
ap_protected:
        mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, kApStack
        call paging_on
        jmp other_cpu

        bits 16
        times 0xFFF0 - ($ - $$) db 0xFF
        jmp 0xF000:boot
        times 0x10000 - ($ - $$) db 0xFF
