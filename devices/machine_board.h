// The PC's board: every chip around the CPUs, and the only place that knows their addresses, interrupt lines
// and who is wired to whom. (i440FX/PIIX3 class PC: Intel 82371SB and 82371AB data sheets, "Register Address
// Space".)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/cpu/pins.h"
#include "core/irq_trace.h"
#include "core/memory/physical.h"
#include "devices/bus.h"
#include "devices/firmware/fw_cfg.h"
#include "devices/firmware/memory_map.h"
#include "devices/firmware/platform.h"
#include "devices/input/i8042.h"
#include "devices/interrupt/fpu_error.h"
#include "devices/interrupt/ioapic.h"
#include "devices/interrupt/local_apic.h"
#include "devices/interrupt/pic8259.h"
#include "devices/interrupt/router.h"
#include "devices/machine_config.h"
#include "devices/pci/i440fx.h"
#include "devices/pci/pci_bus.h"
#include "devices/pci/piix3.h"
#include "devices/pci/piix4_pm.h"
#include "devices/pci/system_control_port.h"
#include "devices/serial/uart16550.h"
#include "devices/storage/block_device.h"
#include "devices/storage/nvme.h"
#include "devices/storage/piix3_ide.h"
#include "devices/test/debugcon.h"
#include "devices/test/isa_debug_exit.h"
#include "devices/test/pc_testdev.h"
#include "devices/test/pci_testdev.h"
#include "devices/timer/acpi_pm.h"
#include "devices/timer/cmos_rtc.h"
#include "devices/timer/hpet.h"
#include "devices/timer/pit8254.h"
#include "devices/video/screen.h"
#include "devices/video/stdvga.h"

namespace lapwing {

// What the board asks of its surroundings. Requests take effect between two instructions.
class BoardHost {
 public:
  virtual ~BoardHost() = default;
  virtual void serial_output(unsigned uart, u8 value) = 0;
  virtual void debug_output(unsigned console, u8 value) = 0;
  // Everything but RAM, the RTC and its CMOS RAM (PCIRST# and CPURST).
  virtual void request_reset() = 0;
  // The CPUs alone (INIT#).
  virtual void request_cpu_reset() = 0;
  // Suspend to RAM, and what ends it.
  virtual void request_suspend() = 0;
  virtual void request_wake() = 0;
  virtual void request_power_off() = 0;
  virtual void request_exit(u32 status) = 0;
};

class Board final : private SystemControl {
 public:
  struct Part {
    std::string name;
    Saveable* object;
  };

  Board(const MachineConfig& config, Clock& clock, IrqTrace& trace, PhysicalMemory& memory, BoardHost& host,
        DiskHost* disks);
  ~Board() override;

  // Where video memory lies (StdVga::kMemorySize bytes); without it the board makes its own. Before build().
  void set_video_memory(u8* memory) { video_memory_ = memory; }
  // Makes and wires the chips; `pins` are the CPUs' inputs. The error names two owners of one address.
  Result<void> build(const std::vector<CpuPins*>& pins);
  PortBus& ports() { return ports_; }
  InterruptUnit& interrupt_unit(unsigned cpu) { return *local_apics_[cpu]; }
  FpuErrorPins& fpu_error_pins() { return *fpu_error_; }

  // Power-on reset of every chip.
  void reset();
  // Suspend to RAM: every chip loses its power, except the memory controller with the PAM registers, the RTC
  // and the power management block, which lie in the PIIX4's resume well.
  void suspend();
  // The power is back: WAK_STS, and CMOS tells firmware that RAM is to be resumed.
  void resume();
  bool wake_event_pending() const { return power_->wake_event_pending(); }
  CmosRtc& rtc() { return *rtc_; }
  // Brings the chips into the state in which a BIOS hands over to an operating system.
  void enter_firmware_state(const MemoryMap& map);
  // The same for the chips alone, with RAM as it is.
  void resume_firmware_state();
  // What firmware tables have to say about this board.
  Platform platform() const;

  void serial_input(unsigned uart, const u8* data, std::size_t size) { uarts_[uart]->receive(data, size); }
  // nullptr: this machine has no screen.
  StdVga* vga() { return vga_.get(); }
  Screen* screen() { return screen_.get(); }
  const Screen* screen() const { return screen_.get(); }
  // The VGA's expansion ROM; an error when there is no VGA.
  Result<void> set_video_bios(std::vector<u8> image);
  I8042& keyboard_controller() { return *i8042_; }
  Piix3Ide& ide() { return *ide_; }
  // A user at a CD-ROM drive, by ids of drives: "DRIVE" opens the tray, "DRIVE DISC" exchanges the disc for
  // that of a drive without a controller (or back for its own). The error says why that cannot be.
  Result<void> check_disc_change(std::string_view text) const;
  void change_disc(std::string_view text);
  // Whether the last change took place; a guest may have locked the tray.
  bool disc_changed() const { return disc_changed_; }
  void press_power_button();
  // Whether a disk request is due whose bytes the host does not have yet: time must stand still.
  bool disk_bytes_missing();
  FwCfg& fw_cfg() { return *fw_cfg_; }
  // Logs a write to a device window (last writer).
  void note_mmio(u64 address, u64 value, bool write);

  // For queries.
  const Pic8259Pair& pic() const { return *pic_; }
  const IoApic* ioapic() const { return ioapic_.get(); }
  const LocalApic& local_apic(unsigned cpu) const { return *local_apics_[cpu]; }
  const GsiRouter& gsis() const { return *gsis_; }
  std::vector<const Device*> devices() const;
  // "nvme0 MSI", "nvme0 MSI-X": the message capabilities of the PCI functions.
  struct RegisterTable {
    std::string name;
    std::vector<RegisterValue> registers;
  };
  std::vector<RegisterTable> message_capabilities() const;
  std::string address_map() const;
  std::string pci_text() const;
  // Everything with state, in the order in which it is saved.
  const std::vector<Part>& parts() const { return parts_; }

 private:
  IrqPin pin(unsigned gsi, DeviceId device);
  void claim(u16 first, unsigned count, PortDevice& device, std::string_view name, unsigned widest,
             DeviceId id);
  void note(const Result<void>& result);
  void map(u64 base, u64 size, MmioDevice& device, std::string_view name);
  void add(Device& device);
  void build_interrupt_controllers(const std::vector<CpuPins*>& pins);
  void build_pci();
  void build_video();
  void build_drives();
  void build_nvme();
  void build_ide();
  struct DiscChange {
    AtapiCdrom* drive;
    std::optional<u32> disc;
  };
  void add_spare_discs(AtapiCdrom& drive);
  Result<DiscChange> parse_disc_change(std::string_view text) const;
  // The drive at a place of the IDE cables (0-3), nullptr = none.
  BlockDevice* ide_drive(unsigned place);
  void build_timers();
  std::string boot_order() const;
  void build_firmware();
  void fill_cmos();
  void build_legacy();
  void build_test_devices();
  void build_pc_test_device();
  void build_pci_test_device();

  void settle_firmware_state();

  // SystemControl
  void set_a20_gate(bool enabled) override { memory_.set_a20(enabled); }
  bool a20_gate() const override { return memory_.a20(); }
  void request_cpu_reset() override { host_.request_cpu_reset(); }

  const MachineConfig& config_;
  Clock& clock_;
  IrqTrace& trace_;
  PhysicalMemory& memory_;
  BoardHost& host_;
  DiskHost* disks_;
  PortBus ports_;
  Result<void> first_error_;

  std::unique_ptr<MessageRouter> messages_;
  PicOutput pic_output_;
  std::unique_ptr<Pic8259Pair> pic_;
  std::vector<std::unique_ptr<LocalApic>> local_apics_;
  std::unique_ptr<GsiRouter> gsis_;
  std::unique_ptr<IoApic> ioapic_;
  std::vector<std::unique_ptr<BlockDevice>> drives_;  // as in the configuration
  std::unique_ptr<PciBus> pci_;
  std::unique_ptr<I440fx> host_bridge_;
  std::unique_ptr<Piix3> isa_bridge_;
  std::unique_ptr<Piix4Pm> power_management_;
  std::unique_ptr<Piix3Ide> ide_;
  bool disc_changed_ = false;
  std::vector<std::unique_ptr<NvmeController>> nvme_;
  std::unique_ptr<AcpiPm> power_;
  u8* video_memory_ = nullptr;
  std::unique_ptr<u8[]> own_video_memory_;
  std::unique_ptr<StdVga> vga_;
  std::unique_ptr<Screen> screen_;
  std::unique_ptr<Hpet> hpet_;
  std::unique_ptr<Pit8254> pit_;
  std::unique_ptr<CmosRtc> rtc_;
  std::unique_ptr<FwCfg> fw_cfg_;
  std::unique_ptr<FpuError> fpu_error_;
  std::unique_ptr<I8042> i8042_;
  std::unique_ptr<SystemControlPort> system_control_;
  std::vector<std::unique_ptr<Uart16550>> uarts_;
  std::vector<std::unique_ptr<IsaDebugExit>> debug_exits_;
  std::vector<std::unique_ptr<DebugConsole>> debug_consoles_;
  std::unique_ptr<PcTestDevice> test_device_;
  std::unique_ptr<PciTestDevice> pci_test_device_;
  std::vector<Part> parts_;
  std::vector<Device*> chips_;
  struct Window {
    u64 base;
    u64 size;
    std::string name;
  };
  std::vector<Window> windows_;
};

}  // namespace lapwing
