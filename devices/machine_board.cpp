#include "devices/machine_board.h"

#include <algorithm>
#include <map>

#include "core/hex.h"
#include "devices/firmware/direct_boot.h"
#include "devices/firmware/firmware_files.h"
#include "devices/video/rom_font.h"

namespace lapwing {

namespace {

constexpr u16 kUartPorts[kMaxUarts] = {0x3F8, 0x2F8, 0x3E8, 0x2E8};
constexpr unsigned kUartIrqs[kMaxUarts] = {4, 3, 4, 3};
constexpr unsigned kKeyboardIrq = 1;
constexpr unsigned kMouseIrq = 12;
constexpr unsigned kIoapicExtIntPin = 0;
constexpr u8 kVgaSlot = 2;
constexpr unsigned kIdeIrqs[Piix3Ide::kChannels] = {14, 15};

constexpr unsigned kTimerIrq = 0;
constexpr unsigned kRtcIrq = 8;
// CMOS byte 0x0F, the shutdown code, and the code that tells SeaBIOS to resume from RAM.
constexpr u8 kShutdownCode = 0x0F;
constexpr u8 kResumeFromRam = 0xFE;

std::string range_text(u64 base, u64 size, unsigned digits) {
  return hex(base, digits) + "-" + hex(base + size - 1, digits) + " ";
}

}  // namespace

Board::Board(const MachineConfig& config, Clock& clock, IrqTrace& trace, PhysicalMemory& memory,
             BoardHost& host, DiskHost* disks)
    : config_(config),
      clock_(clock),
      trace_(trace),
      memory_(memory),
      host_(host),
      disks_(disks),
      ports_(clock, trace) {}

Board::~Board() = default;

// A new driver of a GSI line.
IrqPin Board::pin(unsigned gsi, DeviceId device) {
  return IrqPin(gsis_->new_source(), gsi, trace_, device);
}

void Board::add(Device& device) {
  chips_.push_back(&device);
  parts_.push_back({std::string(device.name()), &device});
}

// Remembers the first overlap; construction goes on and build() reports it.
void Board::claim(u16 first, unsigned count, PortDevice& device, std::string_view name, unsigned widest,
                  DeviceId id) {
  note(ports_.claim(first, count, device, std::string(name), widest, id));
}

void Board::note(const Result<void>& result) {
  if (!result.ok() && first_error_.ok()) first_error_ = result;
}

void Board::map(u64 base, u64 size, MmioDevice& device, std::string_view name) {
  note(memory_.map_mmio(base, size, device, std::string(name)));
  windows_.push_back({base, size, std::string(name)});
}

Result<void> Board::build(const std::vector<CpuPins*>& pins) {
  build_interrupt_controllers(pins);
  build_drives();
  build_pci();
  build_ide();
  if (config_.vga) build_video();
  build_nvme();
  build_timers();
  build_legacy();
  build_test_devices();
  build_firmware();  // last: it describes the others
  return first_error_;
}

void Board::build_interrupt_controllers(const std::vector<CpuPins*>& pins) {
  messages_ = std::make_unique<MessageRouter>(trace_);
  pic_ = std::make_unique<Pic8259Pair>(trace_, pic_output_);
  for (std::size_t i = 0; i < pins.size(); ++i) {
    const auto cpu = static_cast<u8>(i);
    const LocalApicConfig config{.cpu = cpu,
                                 .id = cpu,
                                 .bootstrap = cpu == 0,
                                 .present = config_.apic,
                                 .x2apic = config_.cpu.has(Feature::X2APIC),
                                 .tsc_deadline = config_.cpu.has(Feature::TSC_DEADLINE),
                                 .reserved_addresses = ~config_.cpu.physical_mask()};
    local_apics_.push_back(std::make_unique<LocalApic>(config, clock_, trace_, *pins[i], *messages_, *pic_));
    messages_->attach(*local_apics_.back());
    pic_output_.attach(*local_apics_.back());
  }
  gsis_ = std::make_unique<GsiRouter>(pic_.get(), trace_);
  parts_.push_back({"gsi_router", gsis_.get()});
  add(*pic_);
  claim(Pic8259Pair::kMasterPort, Pic8259Pair::kPortsPerChip, *pic_, "pic8259", 1, DeviceId::kPic);
  claim(Pic8259Pair::kSlavePort, Pic8259Pair::kPortsPerChip, *pic_, "pic8259", 1, DeviceId::kPic);
  claim(Pic8259Pair::kElcrPort, Pic8259Pair::kPortsPerChip, *pic_, "pic8259", 1, DeviceId::kPic);
  for (std::size_t i = 0; i < local_apics_.size(); ++i) {
    chips_.push_back(local_apics_[i].get());
    parts_.push_back({"local_apic." + std::to_string(i), local_apics_[i].get()});
  }
  if (!config_.apic) return;
  ioapic_ = std::make_unique<IoApic>(IoApicConfig{.id = 0, .base = kIoapicBase}, trace_, *messages_);
  gsis_->attach(*ioapic_);
  messages_->attach(static_cast<EoiSink&>(*ioapic_));
  pic_output_.attach(*ioapic_, kIoapicExtIntPin);
  add(*ioapic_);
  map(kIoapicBase, IoApic::kWindowSize, *ioapic_, "ioapic");
}

void Board::build_pci() {
  pci_ = std::make_unique<PciBus>(ports_, memory_, trace_);
  note(pci_->claim_ports());
  add(*pci_);
  host_bridge_ = std::make_unique<I440fx>(*pci_);
  isa_bridge_ = std::make_unique<Piix3>(*pci_, gsis_->new_source(), [this](ResetRequest request) {
    request == ResetRequest::kHard ? host_.request_reset() : host_.request_cpu_reset();
  });
  power_ = std::make_unique<AcpiPm>(clock_, pin(kSciIrq, DeviceId::kAcpiPm));
  power_->on_sleep([this](u8 type) {
    if (type == kSleepOff) host_.request_power_off();
    if (type == kSleepToRam) host_.request_suspend();
  });
  const auto move_pm_block = [this](u16 base) { static_cast<void>(power_->map(ports_, base)); };
  power_management_ = std::make_unique<Piix4Pm>(
      *pci_, Piix4Pm::Hooks{move_pm_block, [this](bool enabled) { power_->set_acpi_mode(enabled); }});
  note(power_management_->claim_ports());
  pci_->set_intx_sink(*isa_bridge_);
  pci_->set_reset_control(*isa_bridge_);
  for (PciDevice* device :
       {static_cast<PciDevice*>(host_bridge_.get()), static_cast<PciDevice*>(isa_bridge_.get()),
        static_cast<PciDevice*>(power_management_.get())}) {
    note(pci_->attach(*device));
    add(*device);
  }
  add(*power_);
}

void Board::build_drives() {
  const std::vector<DriveConfig>& configs = config_.storage.drives;
  if (!configs.empty() && disks_ == nullptr) return note(Error{"this host has no disks"});
  for (unsigned i = 0; i < configs.size(); ++i) {
    const BlockDevice::Medium medium{configs[i].size / BlockDevice::kSectorSize, configs[i].read_only};
    drives_.push_back(std::make_unique<BlockDevice>(clock_, *disks_, i, medium));
    parts_.push_back({"drive." + std::to_string(i), drives_.back().get()});
  }
}

void Board::build_nvme() {
  constexpr unsigned kFirstSlot = 4;
  for (const NvmeConfig& config : config_.storage.nvme) {
    unsigned slot = config.slot.value_or(kFirstSlot);
    while (!config.slot && slot < PciBus::kSlots - 1 && pci_->device(slot, 0) != nullptr) ++slot;
    const auto instance = static_cast<u8>(nvme_.size());
    NvmeController::Setup setup{static_cast<u8>(slot), instance, config.serial, {}};
    if (setup.serial.empty()) setup.serial = "lapwing-nvme-" + std::to_string(instance);
    for (const NvmeNamespaceConfig& space : config.namespaces)
      setup.namespaces.push_back({space.id, drives_[space.drive].get()});
    nvme_.push_back(std::make_unique<NvmeController>(*pci_, *messages_, std::move(setup)));
    note(pci_->attach(*nvme_.back()));
    add(*nvme_.back());
  }
}

BlockDevice* Board::ide_drive(unsigned place) {
  const std::optional<unsigned> drive = config_.storage.ide_drive(place);
  return drive ? drives_[*drive].get() : nullptr;
}

void Board::build_ide() {
  ide_ = std::make_unique<Piix3Ide>(
      *pci_, clock_, std::array{pin(kIdeIrqs[0], DeviceId::kIde), pin(kIdeIrqs[1], DeviceId::kIde)});
  note(pci_->attach(*ide_));
  note(ide_->claim_ports());
  for (unsigned place = 0; place < Piix3Ide::kDrives; ++place) {
    BlockDevice* medium = ide_drive(place);
    if (medium == nullptr) continue;
    const DriveConfig& config = config_.storage.drives[*config_.storage.ide_drive(place)];
    const std::string serial = config.serial.empty() ? "LW0000" + std::to_string(place + 1) : config.serial;
    if (config.cdrom) {
      ide_->attach_cdrom(place, *medium, {"LAPWING DVD-ROM", serial, "1.0"});
      add_spare_discs(*ide_->cdrom(place));
    } else {
      ide_->attach_disk(place, *medium, {"LAPWING HARDDISK", serial, "1.0"});
    }
  }
  add(*ide_);
}

// CD images without a controller of their own can be put into any drive.
void Board::add_spare_discs(AtapiCdrom& drive) {
  for (std::size_t i = 0; i < drives_.size(); ++i) {
    const DriveConfig& config = config_.storage.drives[i];
    if (config.cdrom && !config.used && config.interface == DriveConfig::Interface::kNone)
      drive.add_disc(*drives_[i]);
  }
}

Result<Board::DiscChange> Board::parse_disc_change(std::string_view text) const {
  const std::vector<DriveConfig>& configs = config_.storage.drives;
  const auto find = [&](std::string_view id) {
    const auto has_id = [id](const DriveConfig& config) { return config.id == id; };
    return static_cast<std::size_t>(std::find_if(configs.begin(), configs.end(), has_id) - configs.begin());
  };
  const std::size_t blank = std::min(text.find(' '), text.size());
  const std::string id(text.substr(0, blank));
  const std::size_t drive = find(id);
  AtapiCdrom* cdrom = nullptr;
  for (unsigned place = 0; place < Piix3Ide::kDrives; ++place) {
    if (drive < configs.size() && config_.storage.ide_drive(place) == drive) cdrom = ide_->cdrom(place);
  }
  if (cdrom == nullptr) return Error{"there is no CD-ROM drive '" + id + "'"};
  if (blank == text.size()) return DiscChange{cdrom, std::nullopt};
  const std::string disc_id(text.substr(blank + 1));
  const std::size_t number = find(disc_id);
  const std::optional<u32> disc = number < drives_.size() ? cdrom->find_disc(*drives_[number]) : std::nullopt;
  if (!disc) {
    return Error{"'" + disc_id + "' is no disc for drive '" + id +
                 "'; discs to exchange are CD images of drives with if=none"};
  }
  for (unsigned place = 0; place < Piix3Ide::kDrives; ++place) {
    const AtapiCdrom* other = ide_->cdrom(place);
    if (other != nullptr && other != cdrom && &other->disc() == drives_[number].get())
      return Error{"the disc '" + disc_id + "' is in another drive"};
  }
  return DiscChange{cdrom, disc};
}

Result<void> Board::check_disc_change(std::string_view text) const {
  const Result<DiscChange> change = parse_disc_change(text);
  return change.ok() ? Result<void>() : Error{change.error()};
}

void Board::change_disc(std::string_view text) {
  const Result<DiscChange> change = parse_disc_change(text);
  if (!change.ok()) return;
  const auto& [drive, disc] = change.value();
  disc_changed_ = disc ? drive->insert(*disc) : drive->press_eject();
}

bool Board::disk_bytes_missing() {
  bool missing = false;
  for (const auto& drive : drives_) missing = drive->missing() || missing;
  return missing;
}

void Board::build_video() {
  if (video_memory_ == nullptr) {
    own_video_memory_ = std::make_unique<u8[]>(StdVga::kMemorySize);
    video_memory_ = own_video_memory_.get();
  }
  vga_ = std::make_unique<StdVga>(*pci_, kVgaSlot, clock_, video_memory_);
  screen_ = std::make_unique<Screen>(vga_->vga());
  note(pci_->attach(*vga_));
  add(*vga_);
  // Up to the printer port's addresses, which lie between.
  constexpr u16 kMonoPortsEnd = 0x3BC;
  claim(vga::kFirstPort, kMonoPortsEnd - vga::kFirstPort, *vga_, "vga", 1, DeviceId::kNone);
  claim(vga::kAttributeIndex, vga::kPortsEnd - vga::kAttributeIndex, *vga_, "vga", 1, DeviceId::kNone);
  claim(StdVga::kDispiPort, StdVga::kDispiPorts, *vga_, "vga", 2, DeviceId::kNone);
  map(Vga::kWindowBase, Vga::kWindowSize, *vga_, "vga");
}

Result<void> Board::set_video_bios(std::vector<u8> image) {
  if (vga_ == nullptr) return Error{"this machine has no VGA for a video BIOS; give it one (-vga std)"};
  constexpr std::size_t kLargest = 256 * 1024;
  if (image.size() < 2 || image[0] != 0x55 || image[1] != 0xAA || image.size() > kLargest) {
    return Error{"the video BIOS is no option ROM (55 AA first, at most 256 KiB)"};
  }
  vga_->set_rom(std::move(image));
  return {};
}

void Board::build_timers() {
  LineSink& isa = gsis_->new_source();
  LineSink* legacy = &isa;
  if (config_.hpet) {
    hpet_ = std::make_unique<Hpet>(clock_, trace_, gsis_->new_source(), isa, *messages_);
    legacy = &hpet_->legacy_input();
    add(*hpet_);
    map(Hpet::kBase, Hpet::kWindowSize, *hpet_, "hpet");
  }
  pit_ = std::make_unique<Pit8254>(clock_, IrqPin(*legacy, kTimerIrq, trace_, DeviceId::kPit));
  add(*pit_);
  claim(Pit8254::kPort, Pit8254::kPorts, *pit_, "pit8254", 1, DeviceId::kPit);
  claim(Pit8254::kControlPort, 1, *pit_, "pit8254", 1, DeviceId::kPit);
  rtc_ = std::make_unique<CmosRtc>(clock_, IrqPin(*legacy, kRtcIrq, trace_, DeviceId::kRtc),
                                   config_.rtc_seconds);
  rtc_->on_alarm([this] { power_->rtc_alarm(); });
  add(*rtc_);
  claim(CmosRtc::kPort, CmosRtc::kPorts, *rtc_, "cmos_rtc", 1, DeviceId::kRtc);
  fill_cmos();
}

// The devices with a bootindex as SeaBIOS names them.
std::string Board::boot_order() const {
  std::multimap<u64, std::string> paths;
  for (std::size_t i = 0; i < nvme_.size(); ++i) {
    if (const auto index = config_.storage.nvme[i].boot_index)
      paths.emplace(*index, "nvme@" + hex(nvme_[i]->slot(), 1));
  }
  for (const DriveConfig& drive : config_.storage.drives) {
    if (!drive.boot_index || !drive.index) continue;
    const unsigned place = *drive.index;
    paths.emplace(*drive.boot_index,
                  "ide@1,1/drive@" + std::to_string(place / 2) + "/disk@" + std::to_string(place % 2));
  }
  std::string order;
  for (const auto& [index, path] : paths) order += "/pci@i0cf8/" + path + "\n";
  return order;
}

void Board::build_firmware() {
  fw_cfg_ = std::make_unique<FwCfg>(memory_);
  note(fw_cfg_->claim_ports(ports_));
  const Platform described = platform();
  fw_cfg_->add_standard_items(make_memory_map(config_.memory), config_.cpus,
                              described.vga && !config_.firmware_on_serial);
  fw_cfg_->add_item(FwCfg::kUuid, {config_.uuid.begin(), config_.uuid.end()});
  note(add_acpi_files(*fw_cfg_, described));
  note(add_smbios_files(*fw_cfg_, described, config_.memory, config_.uuid));
  note(add_boot_files(*fw_cfg_, config_.boot, boot_order()));
  for (const FirmwareFile& file : config_.firmware_files) note(fw_cfg_->add_file(file.name, file.data));
  add(*fw_cfg_);
}

void Board::build_legacy() {
  fpu_error_ = std::make_unique<FpuError>(pin(FpuError::kIrq, DeviceId::kCpu));
  add(*fpu_error_);
  claim(FpuError::kPort, 1, *fpu_error_, "fpu_error", 1, DeviceId::kNone);
  i8042_ = std::make_unique<I8042>(clock_, pin(kKeyboardIrq, DeviceId::kI8042),
                                   pin(kMouseIrq, DeviceId::kI8042), static_cast<SystemControl&>(*this));
  add(*i8042_);
  claim(I8042::kDataPort, 1, *i8042_, "i8042", 1, DeviceId::kI8042);
  claim(I8042::kCommandPort, 1, *i8042_, "i8042", 1, DeviceId::kI8042);
  system_control_ = std::make_unique<SystemControlPort>(static_cast<SystemControl&>(*this));
  add(*system_control_);
  claim(SystemControlPort::kPort, 1, *system_control_, "port92", 1, DeviceId::kNone);
  for (unsigned index = 0; index < config_.uarts; ++index) {
    uarts_.push_back(
        std::make_unique<Uart16550>(clock_, index, kUartPorts[index], pin(kUartIrqs[index], DeviceId::kUart),
                                    [this, index](u8 value) { host_.serial_output(index, value); }));
    add(*uarts_.back());
    claim(kUartPorts[index], Uart16550::kPorts, *uarts_.back(), uarts_.back()->name(), 1, DeviceId::kNone);
  }
}

void Board::build_test_devices() {
  for (const IsaDeviceConfig& device : config_.devices) {
    switch (device.kind) {
      case IsaDeviceConfig::Kind::kDebugExit:
        debug_exits_.push_back(
            std::make_unique<IsaDebugExit>([this](u32 status) { host_.request_exit(status); }));
        claim(device.base, device.size, *debug_exits_.back(), "isa-debug-exit", device.size,
              DeviceId::kTestDevice);
        break;
      case IsaDeviceConfig::Kind::kDebugConsole: {
        const unsigned console =
            std::min(static_cast<unsigned>(debug_consoles_.size()), kMaxDebugConsoles - 1);
        debug_consoles_.push_back(std::make_unique<DebugConsole>(
            [this, console](u8 value) { host_.debug_output(console, value); }));
        claim(device.base, device.size, *debug_consoles_.back(), "isa-debugcon", 1, DeviceId::kNone);
        break;
      }
      case IsaDeviceConfig::Kind::kPcTestDevice: build_pc_test_device(); break;
      case IsaDeviceConfig::Kind::kPciTestDevice: build_pci_test_device(); break;
    }
  }
}

// In the first free slot.
void Board::build_pci_test_device() {
  if (pci_test_device_ != nullptr) return note(Error{"there can be only one pci-testdev"});
  u8 slot = 3;
  while (slot < PciBus::kSlots && pci_->device(slot, 0) != nullptr) ++slot;
  if (slot == PciBus::kSlots) return note(Error{"no PCI slot is left for pci-testdev"});
  pci_test_device_ = std::make_unique<PciTestDevice>(*pci_, slot);
  note(pci_->attach(*pci_test_device_));
  add(*pci_test_device_);
}

void Board::build_pc_test_device() {
  if (test_device_ != nullptr) {
    return note(Error{"there can be only one pc-testdev"});
  }
  test_device_ =
      std::make_unique<PcTestDevice>([this](unsigned gsi) { return pin(gsi, DeviceId::kTestDevice); });
  add(*test_device_);
  claim(PcTestDevice::kLatchPort, PcTestDevice::kLatchPorts, *test_device_, "pc-testdev", 4,
        DeviceId::kTestDevice);
  claim(PcTestDevice::kIrqPort, PcTestDevice::kIrqLines, *test_device_, "pc-testdev", 4,
        DeviceId::kTestDevice);
  map(PcTestDevice::kWindowBase, PcTestDevice::kWindowSize, *test_device_, "pc-testdev");
}

void Board::reset() {
  memory_.set_a20(true);
  for (const auto& drive : drives_) drive->cancel_all();
  for (Device* chip : chips_) chip->reset();
}

void Board::suspend() {
  memory_.set_a20(true);
  for (const auto& drive : drives_) drive->cancel_all();
  for (Device* chip : chips_) {
    const bool keeps_power = chip == host_bridge_.get() || chip == rtc_.get() || chip == power_.get();
    if (!keeps_power) chip->reset();
  }
  power_->enter_sleep();
}

void Board::resume() {
  power_->wake();
  rtc_->set_byte(kShutdownCode, kResumeFromRam);
}

void Board::enter_firmware_state(const MemoryMap& map) {
  Platform described = platform();
  prepare_direct_boot(memory_, ports_, *pci_, map, described);
  settle_firmware_state();
}

void Board::resume_firmware_state() {
  prepare_chips(memory_, ports_, *pci_, platform());
  settle_firmware_state();
}

void Board::settle_firmware_state() {
  i8042_->enter_firmware_state();
  if (vga_ != nullptr) vga_->enter_text_mode(find_rom_font(vga_->rom()));
  if (!platform().apic) return;
  for (const BootApicRegister& reg : boot_apic_registers())
    local_apics_[0]->mmio_write(reg.offset, reg.value, 4);
}

// What firmware finds in CMOS RAM about this machine (the PC AT's bytes, and those that SeaBIOS reads).
void Board::fill_cmos() {
  constexpr u64 kKiB = 1024, kMiB = 1024 * kKiB, kBlock = 64 * kKiB;
  const auto put = [this](u8 index, u64 value) {
    rtc_->set_byte(index, static_cast<u8>(value));
    rtc_->set_byte(static_cast<u8>(index + 1), static_cast<u8>(value >> 8));
  };
  const u64 low = std::min(config_.memory, PhysicalMemory::kLowRamLimit);
  const u64 extended = std::min<u64>((low - kMiB) / kKiB, 0xFFFF);
  put(0x15, 640);
  put(0x17, extended);
  put(0x30, extended);
  put(0x34, low > 16 * kMiB ? std::min<u64>((low - 16 * kMiB) / kBlock, 0xFFFF) : 0);
  put(0x5B, (config_.memory - low) / kBlock);
  rtc_->set_byte(0x5F, static_cast<u8>(config_.cpus - 1));
  constexpr u8 kEquipmentFpuAndKeyboard = 0x06;
  rtc_->set_byte(0x14, kEquipmentFpuAndKeyboard);
  const auto medium = [this](unsigned place) { return static_cast<u8>(config_.boot.order[place]); };
  constexpr u8 kNoFloppySignatureCheck = 1;
  rtc_->set_byte(0x38, static_cast<u8>(medium(2) << 4 | kNoFloppySignatureCheck));
  rtc_->set_byte(0x3D, static_cast<u8>(medium(1) << 4 | medium(0)));
}

Platform Board::platform() const {
  Platform platform;
  platform.cpus = config_.cpus;
  platform.vga = config_.vga;
  platform.apic = ioapic_ != nullptr;
  platform.hpet = config_.hpet;
  if (hpet_ != nullptr) platform.hpet_id = hpet_->block_id();
  platform.serial_ports = config_.uarts;
  platform.fw_cfg = true;
  return platform;
}

void Board::press_power_button() {
  power_->press_power_button();
  host_.request_wake();
}

std::string Board::address_map() const {
  std::string text = "memory:\n";
  for (const Window& window : windows_)
    text += "  " + range_text(window.base, window.size, 8) + window.name + "\n";
  text += "I/O ports:\n";
  for (u32 first = 0; first < 0x10000;) {
    const std::string owner = ports_.owner(static_cast<u16>(first));
    u32 end = first + 1;
    while (end < 0x10000 && ports_.owner(static_cast<u16>(end)) == owner) ++end;
    if (!owner.empty()) text += "  " + range_text(first, end - first, 4) + owner + "\n";
    first = end;
  }
  return text;
}

std::string Board::pci_text() const {
  std::string text;
  for (unsigned slot = 0; slot < PciBus::kSlots; ++slot) {
    for (unsigned function = 0; function < PciBus::kFunctions; ++function) {
      PciDevice* device = pci_->device(slot, function);
      if (device == nullptr) continue;
      const u32 identity = device->config_read(pci::kVendorId, 4);
      text += "00:" + hex(slot, 2) + "." + std::to_string(function) + " " + hex(identity & 0xFFFF, 4) + ":" +
              hex(identity >> 16, 4) + " " + std::string(device->name()) + "\n";
      for (unsigned i = 0; i < pci::kBars; ++i) {
        const u32 bar = device->config_read(static_cast<u8>(pci::kBar0 + 4 * i), 4);
        if (bar != 0) text += "    BAR" + std::to_string(i) + " 0x" + hex(bar, 8) + "\n";
      }
    }
  }
  return text;
}

std::vector<Board::RegisterTable> Board::message_capabilities() const {
  std::vector<RegisterTable> tables;
  for (unsigned slot = 0; slot < PciBus::kSlots; ++slot) {
    for (unsigned function = 0; function < PciBus::kFunctions; ++function) {
      const PciDevice* device = pci_->device(slot, function);
      if (device == nullptr) continue;
      const std::string name(device->name());
      if (device->msi() != nullptr) tables.push_back({name + " MSI", device->msi()->registers()});
      if (device->msix() != nullptr) tables.push_back({name + " MSI-X", device->msix()->registers()});
    }
  }
  return tables;
}

std::vector<const Device*> Board::devices() const {
  return {chips_.begin(), chips_.end()};
}

void Board::note_mmio(u64 address, u64 value, bool write) {
  if (!write || !trace_.recording()) return;
  // These two log their own register writes, by register.
  if (address - Vga::kWindowBase < Vga::kWindowSize) return;  // the picture, no register
  if (address - kIoapicBase < IoApic::kWindowSize || address - Hpet::kBase < Hpet::kWindowSize) return;
  trace_.add(IrqEventKind::kRegisterWrite, DeviceId::kPci,
             {.line = static_cast<u32>(address), .cpu = trace_.executing_cpu(), .data = value});
}

}  // namespace lapwing
