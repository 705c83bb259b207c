// What a machine is built from: "key=value" lines, checked one by one, each error one sentence that names the
// line.
//   memory=BYTES      2 MiB to 2 GiB, a multiple of 4 KiB          cpus=N           1 to 8
//   cores=N           CPUs of one package, as CPUID shows them (default 1)
//   cpu=NAME[,+f,-f]  model and switches                           hv=kvm|none      KVM signature in CPUID
//   clock=virtual|realtime   rtc=UNIX_SECONDS   seed=N             accel=interp|jit[,option=N...]   the
//   engine apic=on|off   hpet=on|off   no_reboot=0|1                      serial=N         UARTs, 0 to 4
//   cmdline=TEXT      of the kernel (the rest of the line)         device=NAME[,property=value]... repeatable
//   boot=order=LETTERS,menu=on...   fw_cfg=name=NAME,string=TEXT   uuid=UUID        (boot_options.h)
//   drive=id=NAME,...  and the devices on drives (storage_config.h)
//   vga=std|none      a VGA on the PCI bus (default none)
//   firmware_console=serial|screen  where SeaBIOS's own text goes (serial: to COM1 as well as to a screen)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/cpu/model.h"
#include "core/result.h"
#include "core/types.h"
#include "devices/firmware/boot_options.h"
#include "devices/storage/storage_config.h"
#include "devices/timer/cmos_rtc.h"

namespace lapwing {

constexpr unsigned kMaxCpus = 8;
constexpr unsigned kMaxUarts = 4;
constexpr unsigned kMaxDebugConsoles = 4;  // with an output of their own; more share the last one's

// An optional ISA device with the ports it asked for.
struct IsaDeviceConfig {
  enum class Kind : u8 { kDebugExit, kDebugConsole, kPcTestDevice, kPciTestDevice };
  Kind kind;
  u16 base = 0;
  unsigned size = 1;
};

struct MachineConfig {
  u64 memory = 128ull << 20;
  unsigned cpus = 1;
  unsigned cores = 1;
  CpuModel cpu;
  bool realtime = false;
  u64 rtc_seconds = kDefaultRtcStart;
  u64 seed = 0;
  bool apic = true;
  bool hpet = true;
  bool no_reboot = false;
  unsigned uarts = 2;
  std::string command_line;
  BootOptions boot;
  std::vector<FirmwareFile> firmware_files;
  Uuid uuid{};
  bool firmware_on_serial = true;
  bool vga = false;
  std::vector<IsaDeviceConfig> devices;
  StorageConfig storage;
  std::optional<std::string> jit;  // accel=jit: generated code, with these options of its translator
  std::string text;                // as given but for accel, for the input log
};

Result<MachineConfig> parse_machine_config(std::string_view text);

}  // namespace lapwing
