// NVMe controller with the NVM command set: PCI 1b36:0010 (the id that QEMU's documentation gives its own),
// class 010802. NVM Express Base Specification 1.4; PCI registers: chapter 2, controller registers and
// doorbells: 3, queues and PRPs: 4, admin commands: 5, NVM commands: 6.
//
// Commands are fetched when the doorbell rings. Admin commands complete at once, transfers after the drive's
// latency. A broken queue (not in RAM, bus mastering off) is a controller fatal status until the next reset.
// Deallocate is checked and changes nothing. Unsupported, and reported so: SGLs, fused operations, metadata
// and protection, namespace management, firmware update, format, reservations, more than one arbitration
// class, interrupt coalescing (its settings read back), controller memory buffer, boot partitions.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "devices/pci/pci_device.h"
#include "devices/storage/block_device.h"
#include "devices/storage/nvme_registers.h"

namespace lapwing {

class NvmeController final : public PciDevice {
 public:
  static constexpr unsigned kIoQueues = 16;
  static constexpr unsigned kVectors = kIoQueues + 1;
  static constexpr u32 kMostEntries = 1024;
  static constexpr u32 kMostNamespaces = 16;

  struct Namespace {
    u32 id;
    BlockDevice* drive;
  };
  struct Setup {
    u8 slot = 0;
    u8 instance = 0;  // of the NVMe controllers, for traces
    std::string serial;
    std::vector<Namespace> namespaces;
  };

  NvmeController(PciBus& bus, MessageSink& messages, Setup setup);

  std::string_view name() const override { return name_; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 protected:
  u64 bar_read(unsigned bar, u64 offset, unsigned size) override;
  void bar_write(unsigned bar, u64 offset, u64 value, unsigned size) override;
  void config_changed(u8 offset, unsigned size) override;

 private:
  struct CompletionEntry {
    u32 result = 0;
    u16 sq = 0;
    u16 command = 0;
    u16 status = 0;
  };
  struct CompletionQueue {
    u64 base = 0;
    u32 size = 0;  // entries; 0 = does not exist
    u32 head = 0;
    u32 tail = 0;
    bool phase = true;
    bool interrupts = false;
    u16 vector = 0;
    std::vector<CompletionEntry> waiting;  // no room yet
    bool full() const { return (tail + 1) % size == head; }
  };
  struct SubmissionQueue {
    u64 base = 0;
    u32 size = 0;
    u32 head = 0;
    u32 tail = 0;
    u16 cq = 0;
  };
  struct Segment {
    u64 address;
    u32 size;
  };
  // A command that waits for its drive.
  struct InFlight {
    u16 sq = 0;
    u16 command = 0;
    u8 opcode = 0;
    u32 nsid = 0;
    u32 left = 0;  // requests that have not completed
    u16 status = nvme::kSuccess;
    std::vector<Segment> segments;
  };
  struct ErrorEntry {
    u64 count = 0;
    u16 sq = 0;
    u16 command = 0;
    u16 status = 0;
    u32 nsid = 0;
  };
  struct Counters {
    u64 sectors_read = 0, sectors_written = 0, reads = 0, writes = 0;
  };
  // What a command handler says: a status now, or that the answer comes later.
  struct Outcome {
    u16 status = nvme::kSuccess;
    u32 result = 0;
    bool later = false;
  };
  static constexpr u32 kShutdownTag = 0;  // other tags are commands
  static constexpr u32 kMdts = 7;         // 2^7 pages: 512 KiB
  static constexpr unsigned kMostEvents = 4;
  static constexpr unsigned kErrorEntries = 4;
  static constexpr std::size_t kMostInFlight = kMostEntries;  // then no more commands are fetched

  // Registers (nvme.cpp)
  u32 read_register(u32 offset) const;
  void write_register(u32 offset, u32 value);
  u64 capabilities() const;
  void write_cc(u32 value);
  void enable();
  void reset_controller();
  void begin_shutdown();
  void fatal();
  bool running() const;
  u32 page_size() const { return nvme::kSmallestPage << nvme::cc::Mps::get(cc_); }

  // Queues (nvme_queues.cpp)
  void doorbell(u32 index, u32 value);
  void fetch_commands(u16 id);
  void fetch_all();
  void drain(CompletionQueue& queue);
  void execute(u16 sq, const nvme::Command& command);
  void post(u16 sq, u16 command, const Outcome& outcome, u32 nsid);
  void put_entry(CompletionQueue& queue, const CompletionEntry& entry);
  void signal(const CompletionQueue& queue);
  bool completions_pending() const;
  void update_intx();
  void add_event(u8 info);
  void send_events();
  bool dma_read(u64 address, void* out, u64 size);
  bool dma_write(u64 address, const void* data, u64 size);
  u16 resolve_prps(const nvme::Command& command, u32 size, std::vector<Segment>& out);
  u16 gather(const std::vector<Segment>& segments, u8* out);
  u16 scatter(const std::vector<Segment>& segments, const u8* data, std::size_t size);
  void drop_commands_of(u16 sq);

  // Admin commands (nvme_admin.cpp)
  Outcome execute_admin(const nvme::Command& command);
  u16 create_sq(const nvme::Command& command);
  u16 create_cq(const nvme::Command& command);
  u16 delete_sq(const nvme::Command& command);
  u16 delete_cq(const nvme::Command& command);
  Outcome abort(const nvme::Command& command);
  Outcome set_features(const nvme::Command& command);
  Outcome get_features(const nvme::Command& command);
  u16 get_log_page(const nvme::Command& command);
  Outcome request_event(const nvme::Command& command);
  u16 send_data(const nvme::Command& command, const std::vector<u8>& data);

  // Data structures (nvme_identify.cpp)
  u16 identify(const nvme::Command& command);
  std::vector<u8> identify_controller() const;
  std::vector<u8> identify_namespace(u32 id) const;
  std::vector<u8> namespace_list(u32 above) const;
  std::vector<u8> namespace_descriptors(u32 id) const;
  std::vector<u8> smart_log() const;
  std::vector<u8> error_log() const;
  std::vector<u8> firmware_log() const;
  u64 eui64(u32 id) const;

  // NVM commands (nvme_io.cpp)
  Outcome execute_io(u16 sq, const nvme::Command& command);
  Outcome transfer(u16 sq, const nvme::Command& command, BlockDevice& drive);
  Outcome flush(u16 sq, const nvme::Command& command);
  Outcome write_zeroes(u16 sq, const nvme::Command& command, BlockDevice& drive);
  u16 dataset_management(const nvme::Command& command, const BlockDevice& drive);
  BlockDevice* drive_of(u32 nsid) const;
  u32 start(u16 sq, const nvme::Command& command, u32 requests, std::vector<Segment> segments);
  void completed(const BlockCompletion& completion);
  u16 take_data(const InFlight& command, const BlockCompletion& completion);

  void save_queues(StateWriter& out) const;
  bool load_queues(StateReader& in);

  const std::string name_;
  const Setup setup_;
  MsixCapability::Layout msix_layout_;
  MsiCapability msi_;
  MsixCapability msix_;

  u32 cc_ = 0;
  u32 csts_ = 0;
  u32 aqa_ = 0;
  u64 asq_ = 0;
  u64 acq_ = 0;
  u32 interrupt_mask_ = 0;
  std::array<SubmissionQueue, kIoQueues + 1> sqs_;
  std::array<CompletionQueue, kIoQueues + 1> cqs_;
  std::map<u32, InFlight> in_flight_;  // by tag
  u32 last_tag_ = kShutdownTag;
  u32 shutdown_flushes_ = 0;
  std::array<u32, 16> features_{};
  std::vector<u16> event_requests_;  // commands that wait for an event
  std::vector<u8> events_;           // error events to report
  bool event_masked_ = false;        // until the error log is read
  std::array<ErrorEntry, kErrorEntries> errors_{};
  u64 error_count_ = 0;
  Counters counters_;
  std::vector<u8> buffer_;
  bool loading_ = false;
};

}  // namespace lapwing
