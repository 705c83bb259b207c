// The 256 words that IDENTIFY DEVICE and IDENTIFY PACKET DEVICE return (ATA/ATAPI-6, 8.15 and 8.16).
#pragma once

#include <string>
#include <vector>

#include "core/types.h"

namespace lapwing {

struct DriveIdentity {
  std::string model;
  std::string serial;
  std::string firmware;
};

class IdentifyData {
 public:
  IdentifyData();
  void put(unsigned word, u64 value, unsigned words = 1);
  void put_names(const DriveIdentity& identity);
  void put_modes(u8 transfer_mode);
  // With the checksum of word 255.
  std::vector<u8> finish();

 private:
  void put_text(unsigned word, unsigned words, const std::string& text);

  std::vector<u8> bytes_;
};

}  // namespace lapwing
