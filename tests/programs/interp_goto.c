// A bytecode interpreter with computed goto: each operation ends with an indirect jump of its own.
#include "interp.h"

static u32 interpret(const struct Instruction* code, u32 limit) {
#define INTERP_LABEL(name, action) &&do_##name,
  static const void* const kLabels[kOperations] = {INTERP_OPERATIONS(INTERP_LABEL) && do_stop};
  u32 r[kRegisters] = {[7] = 1, [15] = limit};
  u32 pc = 0;
  const struct Instruction* in = &code[pc++];
  goto* kLabels[in->operation];
#define INTERP_BODY(name, action) \
  do_##name:                      \
  action;                         \
  in = &code[pc++];               \
  goto* kLabels[in->operation];
  INTERP_OPERATIONS(INTERP_BODY)
do_stop:
  return r[0];
}

int main(int argc, char** argv) {
  return run_interpreter("interp_goto", argc, argv);
}
