#include "devices/storage/piix3_ide.h"

#include <iterator>

#include "devices/pci/pci_bus.h"

namespace lapwing {

namespace {

constexpr u32 kIdeClass = 0x010180;  // both channels at fixed ports, bus master
constexpr u16 kDecodeEnable = 1 << 15;
constexpr unsigned kDecodeBit = 15;

constexpr FieldInfo kStatusFields[] = {{"ERR", 0, 1}, {"DRQ", 3, 1},  {"DSC", 4, 1},
                                       {"DF", 5, 1},  {"DRDY", 6, 1}, {"BSY", 7, 1}};
constexpr FieldInfo kControlFields[] = {{"nIEN", 1, 1}, {"SRST", 2, 1}, {"HOB", 7, 1}};
constexpr FieldInfo kCommandFields[] = {{"start", 0, 1}, {"to memory", 3, 1}};
constexpr FieldInfo kMasterFields[] = {
    {"active", 0, 1}, {"error", 1, 1}, {"interrupt", 2, 1}, {"drive 0 DMA", 5, 1}, {"drive 1 DMA", 6, 1}};
constexpr FieldInfo kTimingFields[] = {{"drive 0 timings", 0, 4}, {"drive 1 timings", 4, 4},
                                       {"recovery", 8, 2},        {"IORDY sample", 12, 2},
                                       {"slave timings", 14, 1},  {"decode", 15, 1}};
constexpr char kAta[] = "T13/1410D, 7";
constexpr char kMaster[] = "290550, 2.6";
constexpr char kConfig[] = "290550, 2.3";

// Offsets are ports; bus master registers and timings by their offset.
constexpr RegisterInfo kRegisters[] = {
    {"primary status", 0x1F7, 8, kAta, kStatusFields, std::size(kStatusFields)},
    {"primary device control", 0x3F6, 8, kAta, kControlFields, std::size(kControlFields)},
    {"BMIC primary", 0x00, 8, kMaster, kCommandFields, std::size(kCommandFields)},
    {"BMIS primary", 0x02, 8, kMaster, kMasterFields, std::size(kMasterFields)},
    {"BMIDTP primary", 0x04, 32, kMaster, nullptr, 0},
    {"IDETIM primary", 0x40, 16, kConfig, kTimingFields, std::size(kTimingFields)},
    {"secondary status", 0x177, 8, kAta, kStatusFields, std::size(kStatusFields)},
    {"secondary device control", 0x376, 8, kAta, kControlFields, std::size(kControlFields)},
    {"BMIC secondary", 0x08, 8, kMaster, kCommandFields, std::size(kCommandFields)},
    {"BMIS secondary", 0x0A, 8, kMaster, kMasterFields, std::size(kMasterFields)},
    {"BMIDTP secondary", 0x0C, 32, kMaster, nullptr, 0},
    {"IDETIM secondary", 0x42, 16, kConfig, kTimingFields, std::size(kTimingFields)}};

}  // namespace

// DeviceId::kNone keeps the bus's own record of BAR writes away: the channels make theirs.
Piix3Ide::Piix3Ide(PciBus& bus, Clock& clock, const std::array<IrqPin, kChannels>& irqs)
    : PciDevice(bus, 1, 1,
                {.vendor = 0x8086,
                 .device = 0x7010,
                 .revision = 0,
                 .class_code = kIdeClass,
                 .trace_id = DeviceId::kNone}),
      clock_(clock) {
  define(pci::kCommand, 2, 0, pci::kCommandIo | pci::kCommandBusMaster);
  define(pci::kStatus, 2, pci::kStatusDevselMedium, 0);
  define(pci::kCacheLineSize, 1, 0, 0);
  define(pci::kLatencyTimer, 1, 0, 0xF0);
  define(pci::kInterruptLine, 1, 0, 0);
  define(kIdeTiming, 2, kDecodeEnable, 0xF3FF);
  define(kIdeTiming + 2, 2, kDecodeEnable, 0xF3FF);
  define(kSlaveTiming, 1, 0, 0xFF);
  define_bar(kBusMasterBar, BarKind::kIo, kChannels * BusMaster::kPorts);
  constexpr u16 kCommandBases[] = {0x1F0, 0x170};
  constexpr u16 kControlPorts[] = {0x3F6, 0x376};
  for (u8 i = 0; i < kChannels; ++i) {
    const IdeChannel::Wiring wiring{kCommandBases[i], kControlPorts[i], irqs[i], i};
    channels_[i] = std::make_unique<IdeChannel>(bus.trace(), bus.memory(), wiring);
  }
}

Result<void> Piix3Ide::claim_ports() {
  for (const auto& channel : channels_) {
    Result<void> claimed = channel->claim_ports(bus().ports());
    if (!claimed.ok()) return claimed;
  }
  return {};
}

void Piix3Ide::attach_disk(unsigned number, BlockDevice& medium, DriveIdentity identity) {
  IdeChannel& channel = *channels_[number / 2];
  channel.attach(number % 2,
                 std::make_unique<AtaDisk>(clock_, channel.cable(), number % 2, medium, std::move(identity)));
}

void Piix3Ide::attach_cdrom(unsigned number, BlockDevice& medium, DriveIdentity identity) {
  IdeChannel& channel = *channels_[number / 2];
  auto drive = std::make_unique<AtapiCdrom>(clock_, channel.cable(), number % 2, medium, std::move(identity));
  cdroms_[number] = drive.get();
  channel.attach(number % 2, std::move(drive));
}

u64 Piix3Ide::bar_read(unsigned, u64 offset, unsigned size) {
  u64 value = 0;
  for (unsigned i = 0; i < size; ++i) {
    const auto at = static_cast<unsigned>(offset) + i;
    const u8 byte = channels_[at / BusMaster::kPorts % kChannels]->read_bus_master(at % BusMaster::kPorts);
    value |= u64{byte} << (i * 8);
  }
  return value;
}

void Piix3Ide::bar_write(unsigned, u64 offset, u64 value, unsigned size) {
  bus().trace().add(IrqEventKind::kRegisterWrite, DeviceId::kIde,
                    {.line = static_cast<u32>(offset), .cpu = bus().trace().executing_cpu(), .data = value});
  for (unsigned i = 0; i < size; ++i) {
    const auto at = static_cast<unsigned>(offset) + i;
    channels_[at / BusMaster::kPorts % kChannels]->write_bus_master(at % BusMaster::kPorts,
                                                                    static_cast<u8>(value >> (i * 8)));
  }
}

void Piix3Ide::config_changed(u8, unsigned) {
  for (unsigned i = 0; i < kChannels; ++i) {
    const bool decoded = bit_of(field(static_cast<u8>(kIdeTiming + 2 * i), 2), kDecodeBit);
    channels_[i]->set_enabled(decoded, bus_master());
    if (!loading_) channels_[i]->kick();
  }
}

void Piix3Ide::reset() {
  PciDevice::reset();
  for (const auto& channel : channels_) channel->reset();
}

void Piix3Ide::save(StateWriter& out) const {
  PciDevice::save(out);
  for (const auto& channel : channels_) channel->save(out);
}

// Restoring moves no data.
bool Piix3Ide::load(StateReader& in) {
  loading_ = true;
  const bool loaded = PciDevice::load(in);
  loading_ = false;
  if (!loaded) return false;
  for (const auto& channel : channels_) {
    if (!channel->load(in)) return false;
  }
  return true;
}

std::vector<RegisterValue> Piix3Ide::registers() const {
  std::vector<RegisterValue> values;
  std::size_t at = 0;
  for (unsigned i = 0; i < kChannels; ++i) {
    const IdeChannel& channel = *channels_[i];
    const BusMaster& master = channel.bus_master();
    const u64 contents[] = {channel.status(), channel.control(),
                            master.command(), master.status(),
                            master.table(),   field(static_cast<u8>(kIdeTiming + 2 * i), 2)};
    for (const u64 value : contents) values.push_back({&kRegisters[at++], value});
  }
  return values;
}

}  // namespace lapwing
