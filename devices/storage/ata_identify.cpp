// IDENTIFY DEVICE data (ATA/ATAPI-6, 8.15), and the words that IDENTIFY PACKET DEVICE (8.16) shares with it.
#include "devices/storage/ata_identify.h"

#include <algorithm>

#include "devices/storage/ata_disk.h"

namespace lapwing {

IdentifyData::IdentifyData() : bytes_(512, 0) {}

void IdentifyData::put(unsigned word, u64 value, unsigned words) {
  for (unsigned i = 0; i < words; ++i) {
    bytes_[(word + i) * 2] = static_cast<u8>(value >> (i * 16));
    bytes_[(word + i) * 2 + 1] = static_cast<u8>(value >> (i * 16 + 8));
  }
}

// Text is padded with blanks, its first character in the high byte of each word.
void IdentifyData::put_text(unsigned word, unsigned words, const std::string& text) {
  for (unsigned i = 0; i < words * 2; ++i) {
    const bool printable = i < text.size() && text[i] >= 0x20 && text[i] < 0x7F;
    bytes_[(word * 2 + i) ^ 1] = printable ? static_cast<u8>(text[i]) : u8{0x20};
  }
}

void IdentifyData::put_names(const DriveIdentity& identity) {
  put_text(10, 10, identity.serial);
  put_text(23, 4, identity.firmware);
  put_text(27, 20, identity.model);
}

// Words 49-53, 63-68 and 88: what the interface can do, and the DMA mode that is set.
void IdentifyData::put_modes(u8 transfer_mode) {
  constexpr u16 kCapabilities = 0x0F00;  // DMA, LBA, IORDY
  constexpr u16 kFastestCycleNs = 120;
  const auto selected = static_cast<u16>(0x100u << (transfer_mode & 7));
  const bool ultra = (transfer_mode & 0x40) != 0;
  const bool multiword = (transfer_mode & 0x20) != 0;
  put(49, kCapabilities);
  put(50, 0x4000);
  put(51, 0x0200);
  put(52, 0x0200);
  put(53, 0x0007);
  put(63, 0x0007u | (multiword ? selected : 0u));
  put(64, 0x0003);
  for (unsigned word = 65; word <= 68; ++word) put(word, kFastestCycleNs);
  put(88, 0x003Fu | (ultra ? selected : 0u));
}

std::vector<u8> IdentifyData::finish() {
  constexpr u8 kSignature = 0xA5;
  bytes_[510] = kSignature;
  u8 sum = 0;
  for (const u8 byte : bytes_) sum = static_cast<u8>(sum + byte);
  bytes_[511] = static_cast<u8>(-sum);
  return bytes_;
}

// 16 heads of 63 sectors, at most 16,383 cylinders (Annex B).
AtaDisk::Geometry AtaDisk::default_geometry() const {
  constexpr u32 kHeads = 16;
  constexpr u32 kSectorsPerTrack = 63;
  const u64 cylinders = medium_.sectors() / (kHeads * kSectorsPerTrack);
  return {static_cast<u32>(std::clamp<u64>(cylinders, 1, 16383)), kHeads, kSectorsPerTrack};
}

void AtaDisk::identify() {
  constexpr u16 kFeatures82 = 0x4008;  // NOP, power management
  constexpr u16 kFeatures83 = 0x3400;  // FLUSH CACHE, FLUSH CACHE EXT, 48-bit addresses
  constexpr u16 kValid = 0x4000;
  constexpr u16 kWriteCache = 1 << 5;
  constexpr u16 kLookAhead = 1 << 6;
  const Geometry geometry = default_geometry();
  const u64 sectors = medium_.sectors();
  const u64 cylinders = std::min<u64>(sectors / (heads_ * sectors_), 0xFFFF);
  IdentifyData data;
  data.put(0, 0x0040);  // fixed drive
  data.put(1, geometry.cylinders);
  data.put(3, geometry.heads);
  data.put(6, geometry.sectors);
  data.put_names(identity_);
  data.put(47, 0x8010);  // READ/WRITE MULTIPLE: up to 16 sectors
  data.put(48, 0x0001);  // double word PIO
  data.put_modes(transfer_mode_);
  data.put(54, cylinders);
  data.put(55, heads_);
  data.put(56, sectors_);
  data.put(57, cylinders * heads_ * sectors_, 2);
  data.put(59, multiple_ == 0 ? 0u : 0x0100u | multiple_);
  data.put(60, std::min<u64>(sectors, 0x0FFFFFFF), 2);
  data.put(80, 0x0078);  // ATA-3 to ATA/ATAPI-6
  data.put(82, kFeatures82 | kWriteCache | kLookAhead);
  data.put(83, kValid | kFeatures83);
  data.put(84, kValid);
  data.put(85, kFeatures82 | (write_cache_ ? kWriteCache : 0u) | (look_ahead_ ? kLookAhead : 0u));
  data.put(86, kFeatures83);
  data.put(87, kValid);
  // Reset result: an 80-conductor cable; device 0 or 1 by jumper, passed its diagnostics.
  data.put(93, number_ == 0 ? 0x600B : 0x6B00);
  data.put(100, sectors, 4);
  buffer_ = data.finish();
}

}  // namespace lapwing
