#include "core/cpu/interpreter.h"

#include "core/cpu/exec/dispatch.h"
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/hot.h"

namespace lapwing {

Interpreter::End Interpreter::run(Cpu& cpu, Block* block) {
  CpuState& s = cpu.state;
  u64 stamp = cpu.link_stamp();
  u64 page_stamp = cpu.page_stamp();
  const Instruction* in;

enter:
  if (s.budget < block->count) [[unlikely]]
    return End::kBudget;
  if (block->heat-- == 1) [[unlikely]] {
    if (block->region != nullptr) goto generated;
    cpu.generated_->hot(cpu, *block);
  }
  s.budget -= block->count;
  s.gpr[kRipSlot] = s.rip;
  cpu.block_ = block;
  in = block->first;

execute:
  for (;;) {
    switch (static_cast<HotOp>(in->handler)) {
      case HotOp::kEndFall: s.rip = cpu.wrap_rip(s.gpr[kRipSlot] + in->offset); goto block_end;
      case HotOp::kEndBranch: goto block_end;
      case HotOp::kEndFallLook: s.rip = cpu.wrap_rip(s.gpr[kRipSlot] + in->offset); goto look;
      case HotOp::kEndBranchLook: goto look;
      case HotOp::kEndFallLeave: s.rip = cpu.wrap_rip(s.gpr[kRipSlot] + in->offset); return End::kLeave;
      case HotOp::kEndBranchLeave: return End::kLeave;
#define HOT(name, op, form, size, kind, expression) \
  case HotOp::name:                                 \
    if (!(expression)) [[unlikely]]                 \
      goto interrupted;                             \
    ++in;                                           \
    continue;
#define HOT_BRANCH(name, op, form, size, kind, expression) \
  case HotOp::name:                                        \
    if (!(expression)) [[unlikely]]                        \
      goto interrupted;                                    \
    goto block_end;
#include "core/cpu/exec/hot.inc"
#undef HOT
#undef HOT_BRANCH
      default:
        if (!kGenericHandlers[in->handler - static_cast<u16>(HotOp::kFirstGeneric)](cpu, *in)) [[unlikely]] {
          goto interrupted;
        }
        ++in;
        continue;
    }
  }

block_end:
  for (const Block::Link& link : block->links) {
    if (link.rip == s.rip && (link.stamp == page_stamp || link.stamp == stamp)) [[likely]] {
      block = link.block;
      goto enter;
    }
  }
  {
    Block* next = cpu.find_block();
    if (next == nullptr) return End::kNoBlock;
    stamp = cpu.link_stamp();
    page_stamp = cpu.page_stamp();
    if (!cpu.cs_checked()) {
      // Within a page nothing can have replaced the translation that is executing, so only the code itself
      // counts. RIP shows the page where CS starts on one.
      const bool aligned = s.code64() || (s.seg[kCs].base & kPageMask) == 0;
      const bool same_page = aligned && ((s.rip ^ s.gpr[kRipSlot]) & ~kPageMask) == 0;
      const bool whole = next->second_page == kNoSecondPage;
      block->links[1] = block->links[0];
      block->links[0] =
          Block::Link{.rip = s.rip, .stamp = same_page && whole ? page_stamp : stamp, .block = next};
    }
    block = next;
    goto enter;
  }

generated: {
  block->heat = kHeatOfRegion;
  const GeneratedEnd end = cpu.generated_->run(cpu, *block);
  stamp = cpu.link_stamp();
  page_stamp = cpu.page_stamp();
  block = end.block;
  in = end.in;
  switch (end.then) {
    case GeneratedEnd::Then::kEnter: goto enter;
    case GeneratedEnd::Then::kResume: goto execute;
    case GeneratedEnd::Then::kInterrupted: goto interrupted;
    case GeneratedEnd::Then::kLeave: return End::kLeave;
    case GeneratedEnd::Then::kBudget: return End::kBudget;
    case GeneratedEnd::Then::kNoBlock: return End::kNoBlock;
  }
}

look:
  // Privilege, code segment or translation may have changed, so links do not hold.
  if (!cpu.goes_on()) return End::kLeave;
  block = cpu.find_block();
  if (block == nullptr) return End::kNoBlock;
  stamp = cpu.link_stamp();
  page_stamp = cpu.page_stamp();
  goto enter;

interrupted:
  cpu.handle_interruption(*in);
  return End::kInterrupted;
}

}  // namespace lapwing
