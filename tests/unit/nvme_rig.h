// An NVMe controller on a bare PCI bus with disks in memory, and a driver for it.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "devices/pci/pci_bus.h"
#include "devices/storage/memory_disk.h"
#include "devices/storage/nvme.h"
#include "tests/unit/guest_ram.h"

namespace lapwing {

struct NvmeMessages final : MessageSink {
  bool send(const InterruptMessage& message) override {
    sent.push_back(message);
    return true;
  }
  std::vector<InterruptMessage> sent;
};

struct NvmeLines final : LineSink {
  void set_line(unsigned, bool new_level, CauseId) override { level = new_level; }
  bool level = false;
};

struct NvmeRig {
  static constexpr u64 kRamSize = 8 << 20;
  static constexpr u64 kBar = 0xFE000000;
  static constexpr u32 kSectors = 4096;
  static constexpr u64 kAdminSq = 0x10000, kAdminCq = 0x20000, kIoSq = 0x30000, kIoCq = 0x40000,
                       kData = 0x100000;

  GuestRam ram{kRamSize};
  Clock clock;
  IrqTrace trace{clock};
  PhysicalMemory memory{ram.page, kRamSize};
  PortBus ports{clock, trace};
  PciBus pci{ports, memory, trace};
  NvmeMessages messages;
  NvmeLines lines;
  MemoryDisks disks;
  std::vector<std::unique_ptr<BlockDevice>> drives;
  std::unique_ptr<NvmeController> nvme;
  u32 admin_tail = 0, admin_head = 0, io_tail = 0, io_head = 0;

  NvmeRig() {
    pci.set_intx_sink(lines);
    std::vector<NvmeController::Namespace> spaces;
    for (u32 id = 1; id <= 2; ++id) {
      std::vector<u8> image(kSectors * 512);
      for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<u8>(i / 512 * 7 + i + id);
      const unsigned drive = disks.add(std::move(image));
      drives.push_back(std::make_unique<BlockDevice>(
          clock, disks, drive, BlockDevice::Medium{.sectors = kSectors, .read_only = id == 2}));
      spaces.push_back({id, drives.back().get()});
    }
    nvme = std::make_unique<NvmeController>(pci, messages, NvmeController::Setup{4, 0, "serial", spaces});
    static_cast<void>(pci.attach(*nvme));
    nvme->config_write(pci::kBar0, static_cast<u32>(kBar), 4);
    nvme->config_write(pci::kCommand, pci::kCommandMemory | pci::kCommandBusMaster, 2);
  }

  u32 read(u32 reg) { return static_cast<u32>(memory.read(kBar + reg, 4)); }
  void write(u32 reg, u32 value) { memory.write(kBar + reg, value, 4); }
  void enable(u32 entries = 16) {
    write(nvme::kAqa, (entries - 1) | (entries - 1) << 16);
    write(nvme::kAsq, kAdminSq);
    write(nvme::kAcq, kAdminCq);
    write(nvme::kCc, 1 | 6u << 16 | 4u << 20);
  }

  struct Answer {
    bool present = false;
    u32 result = 0;
    u16 id = 0;
    u16 status = 0;
    u16 sq_head = 0;
  };
  using Words = std::vector<u32>;  // command dwords 0 ... 15; missing ones are 0

  static Words command(u8 opcode, u16 id, u32 nsid, u64 prp1 = 0, u64 prp2 = 0, u32 cdw10 = 0, u32 cdw11 = 0,
                       u32 cdw12 = 0) {
    return {opcode | u32{id} << 16,
            nsid,
            0,
            0,
            0,
            0,
            static_cast<u32>(prp1),
            static_cast<u32>(prp1 >> 32),
            static_cast<u32>(prp2),
            static_cast<u32>(prp2 >> 32),
            cdw10,
            cdw11,
            cdw12,
            0,
            0,
            0};
  }
  void put(u64 queue, u32 place, const Words& words) {
    memory.write_ram(queue + u64{place} * 64, words.data(), 64);
  }
  void submit_admin(const Words& words, u32 entries = 16) {
    put(kAdminSq, admin_tail, words);
    admin_tail = (admin_tail + 1) % entries;
    write(nvme::kDoorbells, admin_tail);
  }
  Answer take(u64 queue, u32 place, bool phase) {
    u32 words[4];
    memory.read_ram(queue + u64{place} * 16, words, sizeof words);
    Answer answer;
    answer.present = ((words[3] >> 16 & 1) != 0) == phase;
    answer.result = words[0];
    answer.sq_head = static_cast<u16>(words[2]);
    answer.id = static_cast<u16>(words[3]);
    answer.status = static_cast<u16>(words[3] >> 17);
    return answer;
  }
  Answer admin(const Words& words, u32 entries = 16) {
    const bool phase = admin_head / entries % 2 == 0;
    submit_admin(words, entries);
    const Answer answer = take(kAdminCq, admin_head % entries, phase);
    if (!answer.present) return answer;
    ++admin_head;
    write(nvme::kDoorbells + 4, admin_head % entries);
    return answer;
  }
  u16 make_queues(u32 entries = 16, u32 vector = 0) {
    const u16 cq =
        admin(command(nvme::kCreateCq, 1, 0, kIoCq, 0, 1 | (entries - 1) << 16, 3 | vector << 16)).status;
    if (cq != 0) return cq;
    return admin(command(nvme::kCreateSq, 2, 0, kIoSq, 0, 1 | (entries - 1) << 16, 1 | 1u << 16)).status;
  }
  void submit(const Words& words, u32 entries = 16) {
    put(kIoSq, io_tail, words);
    io_tail = (io_tail + 1) % entries;
    write(nvme::kDoorbells + 8, io_tail);
  }
  void pass(u64 ns) {
    clock.jump_to(clock.now_ns() + ns);
    clock.run_due_timers();
  }
  Answer next(u32 entries = 16) {
    const Answer answer = take(kIoCq, io_head % entries, io_head / entries % 2 == 0);
    if (!answer.present) return answer;
    ++io_head;
    write(nvme::kDoorbells + 12, io_head % entries);
    return answer;
  }
  // Submits and lets a virtual second pass.
  Answer io(const Words& words) {
    submit(words);
    pass(1'000'000'000);
    return next();
  }
  std::vector<u8> bytes(u64 address, std::size_t size) {
    std::vector<u8> result(size);
    memory.read_ram(address, result.data(), size);
    return result;
  }
};

}  // namespace lapwing
