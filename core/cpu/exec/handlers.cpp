#include "core/cpu/exec/handlers.h"

namespace lapwing {

const Handler kGenericHandlers[static_cast<unsigned>(Op::kCount)] = {
#define OP(name, ...) exec_##name,
#include "core/cpu/decode/ops.inc"
#undef OP
};

}  // namespace lapwing
