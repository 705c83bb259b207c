// The input log: everything non-deterministic that entered a run, each stamped with the position at which it
// took effect. The same configuration, images and log give the same run, bit for bit.
//
// File: "LWINPUT1", then {u32 version, config text, u32 count + {name, hash} of images, start position, u32
// count + entries, end position}, then a u64 hash over all that precedes it. Integers are little-endian.
#pragma once

#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "core/types.h"

namespace lapwing {

// The numbers are part of the file format: append only.
enum class InputKind : u8 {
  kSerial = 0,  // a = UART number, data = bytes
  kKey = 1,     // a = key code, b = 1 pressed
  kMouse = 2,   // a = dx | dy << 16, b = buttons | wheel << 8
  kPowerButton = 3,
  kReset = 4,
  kRate = 5,  // a | b << 32 = new clock rate
  kDisc = 6,  // data = "DRIVE" opens its tray, "DRIVE DISC" exchanges the disc (ids of drives)
};
constexpr u8 kInputKinds = 7;

struct InputEntry {
  Position at;  // sequence: the number that the input itself took
  InputKind kind = InputKind::kSerial;
  u32 a = 0;
  u32 b = 0;
  std::vector<u8> data;
};

class InputLog {
 public:
  struct Image {
    std::string name;
    u64 hash = 0;
  };

  std::string config;
  std::vector<Image> images;
  Position start;
  Position end;  // where the recording stopped
  std::vector<InputEntry> entries;

  std::vector<u8> encode() const;
  // Checks magic, version, hash and that positions never go back; the error is one sentence.
  static Result<InputLog> decode(const u8* data, std::size_t size);
};

}  // namespace lapwing
