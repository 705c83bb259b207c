// Where the bytes of disk images live: with the host (a file, a Blob, an HTTP server), which also keeps the
// overlay of what the guest wrote. The engine asks synchronously; a host that has to fetch bytes first says
// so in ready(), and virtual time stands still until it has them.
#pragma once

#include "core/types.h"

namespace lapwing {

class DiskHost {
 public:
  virtual ~DiskHost() = default;
  // True when read() of this range can answer now (with the bytes, or that they are unreadable). Otherwise
  // the host begins to fetch them.
  virtual bool ready(unsigned drive, u64 offset, u32 size) = 0;
  // False: unreadable.
  virtual bool read(unsigned drive, u64 offset, u8* out, u32 size) = 0;
  // Takes the bytes at once; false when they cannot be kept.
  virtual bool write(unsigned drive, u64 offset, const u8* data, u32 size) = 0;
  // Makes all that was written last, in the mode that the user chose for the drive; false when that fails.
  virtual bool flush(unsigned drive) = 0;
};

}  // namespace lapwing
