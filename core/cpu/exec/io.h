// IN, OUT and the permission check that INS and OUTS share. SDM vol. 1, "Input/Output".
#pragma once

#include "core/cpu/cpu.h"

namespace lapwing {

// IOPL and the TSS's I/O permission bitmap; false = #GP(0) (or a page fault on the bitmap) raised.
bool check_io_permission(Cpu& cpu, u16 port, unsigned size);
// One port access at the exact time of `in`. I/O breakpoints (CR4.DE) are noted.
u32 port_read(Cpu& cpu, const Instruction& in, u16 port, unsigned size);
void port_write(Cpu& cpu, const Instruction& in, u16 port, u32 value, unsigned size);

}  // namespace lapwing
