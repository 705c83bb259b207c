// What firmware finds in fw_cfg beyond the standard items: the ACPI tables with the commands that place and
// correct them (the table loader that SeaBIOS executes: allocate, add pointer, add checksum), SMBIOS tables,
// and how to boot.
#pragma once

#include "core/result.h"
#include "devices/firmware/boot_options.h"
#include "devices/firmware/fw_cfg.h"
#include "devices/firmware/platform.h"

namespace lapwing {

// etc/acpi/tables, etc/acpi/rsdp, etc/table-loader.
Result<void> add_acpi_files(FwCfg& fw_cfg, const Platform& platform);

// etc/smbios/smbios-anchor, etc/smbios/smbios-tables.
Result<void> add_smbios_files(FwCfg& fw_cfg, const Platform& platform, u64 ram_size, const Uuid& uuid);

// etc/boot-menu-wait, etc/boot-fail-wait, bootorder and the boot menu item. `order` holds Open Firmware
// paths, each with a line feed.
Result<void> add_boot_files(FwCfg& fw_cfg, const BootOptions& boot, std::string order);

}  // namespace lapwing
