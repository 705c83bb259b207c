// One machine-less NVMe controller driven by arbitrary bytes. What must hold: no access outside of RAM
// (sanitizers), no hang, and a controller that works after a reset.
#pragma once

#include <cstdlib>

#include "tests/unit/nvme_rig.h"

namespace lapwing::fuzz {

class NvmeInput {
 public:
  NvmeInput(const u8* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  template <class T>
  T take() {
    T value{};
    const std::size_t count = std::min(sizeof value, size_ - std::min(size_, at_));
    if (count > 0) std::memcpy(&value, data_ + at_, count);
    at_ += sizeof value;
    return value;
  }

 private:
  const u8* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

// A command whose fields are near what is legal.
inline NvmeRig::Words nvme_command(NvmeInput& in, bool admin) {
  static constexpr u8 kAdmin[] = {0, 1, 2, 4, 5, 6, 8, 9, 10, 12};
  static constexpr u8 kIo[] = {0, 1, 2, 5, 8, 9};
  const u8 pick = in.take<u8>();
  u8 opcode = admin ? kAdmin[pick % sizeof kAdmin] : kIo[pick % sizeof kIo];
  if (pick >= 250) opcode = in.take<u8>();
  const auto address = [&in]() -> u64 {
    const u16 where = in.take<u16>();
    if (where % 16 == 0) return in.take<u64>();
    return u64{where % 2048u} * 4096 + (where % 16 == 1 ? in.take<u16>() & 0xFFFu : 0);
  };
  const u32 nsid = pick % 7 == 0 ? in.take<u32>() : 1 + pick % 2u;
  NvmeRig::Words words = NvmeRig::command(opcode, in.take<u8>(), nsid, address(), address());
  for (unsigned i = 10; i < 14; ++i) {
    const u8 shape = in.take<u8>();
    words[i] = shape < 128 ? shape : shape < 192 ? u32{shape} << 16 | in.take<u8>() : in.take<u32>();
  }
  if (pick == 255) words[0] |= u32{in.take<u8>()} << 8;
  return words;
}

inline void run_nvme(const u8* data, std::size_t size) {
  static NvmeRig rig;  // one for all inputs: each begins with a reset
  NvmeInput in(data, size);
  for (const auto& drive : rig.drives) drive->cancel_all();
  rig.nvme->reset();
  rig.nvme->config_write(pci::kBar0, static_cast<u32>(NvmeRig::kBar), 4);
  rig.nvme->config_write(pci::kCommand, pci::kCommandMemory | pci::kCommandBusMaster, 2);
  rig.disks.readable = rig.disks.writable = true;
  rig.messages.sent.clear();
  rig.admin_tail = rig.admin_head = rig.io_tail = rig.io_head = 0;
  rig.enable();
  for (const auto& words :
       {NvmeRig::command(nvme::kCreateCq, 1, 0, NvmeRig::kIoCq, 0, 1 | 15u << 16, 3),
        NvmeRig::command(nvme::kCreateSq, 2, 0, NvmeRig::kIoSq, 0, 1 | 15u << 16, 1 | 1u << 16)})
    rig.submit_admin(words);
  for (unsigned step = 0; step < 256 && !in.empty(); ++step) {
    const u8 action = in.take<u8>();
    switch (action % 12) {
      case 0:
      case 1: rig.submit_admin(nvme_command(in, true)); break;
      case 2:
      case 3:
      case 4: rig.submit(nvme_command(in, false)); break;
      case 5: rig.pass(in.take<u16>() * 64ull); break;
      case 6: rig.write(nvme::kDoorbells + (in.take<u8>() % 64u) * 4, in.take<u8>()); break;
      case 7:
        rig.memory.write(NvmeRig::kBar + in.take<u16>() % 0x4000, in.take<u64>(), 1u << action / 12 % 4);
        break;
      case 8:
        static_cast<void>(rig.memory.read(NvmeRig::kBar + in.take<u16>() % 0x4000, 1u << action / 12 % 4));
        break;
      case 9: {  // entries of a list
        const u64 entry = in.take<u8>() % 4 == 0 ? in.take<u64>() : u64{in.take<u16>() % 2048u} * 4096;
        rig.memory.write_ram(u64{in.take<u16>() % 2048u} * 4096 + (in.take<u8>() % 4 == 0 ? 4088 : 0), &entry,
                             8);
        break;
      }
      case 10: rig.nvme->config_write(static_cast<u8>(in.take<u8>() & 0xFC), in.take<u32>(), 4); break;
      case 11:
        rig.disks.readable = (action & 16) != 0;
        rig.disks.writable = (action & 32) != 0;
        break;
    }
  }
  rig.nvme->config_write(pci::kBar0, static_cast<u32>(NvmeRig::kBar), 4);
  rig.nvme->config_write(pci::kBar0 + 4, 0, 4);
  rig.nvme->config_write(pci::kCommand, pci::kCommandMemory | pci::kCommandBusMaster, 2);
  rig.write(nvme::kCc, 0);
  rig.enable();
  if (rig.read(nvme::kCsts) != 1) std::abort();
}

}  // namespace lapwing::fuzz
