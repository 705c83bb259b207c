// A bytecode interpreter with one switch: all operations share one indirect jump.
#include "interp.h"

static u32 interpret(const struct Instruction* code, u32 limit) {
  u32 r[kRegisters] = {[7] = 1, [15] = limit};
  u32 pc = 0;
  for (;;) {
    const struct Instruction* in = &code[pc++];
    switch (in->operation) {
#define INTERP_CASE(name, action) \
  case name: action; break;
      INTERP_OPERATIONS(INTERP_CASE)
      default: return r[0];
    }
  }
}

int main(int argc, char** argv) {
  return run_interpreter("interp_switch", argc, argv);
}
