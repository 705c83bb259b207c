// Translation look-aside buffer of one CPU. Its contents are machine state (a guest sees refills through
// accessed bits): fixed size, direct-mapped, filled in program order. One table per access mode. An entry
// exists only for RAM (or ROM, reading), so a hit can never touch anything else.
#pragma once

#include <array>

#include "core/memory/physical.h"
#include "core/types.h"

namespace lapwing {

// Whose rights a data access has. kKernelSmap: supervisor with CR4.SMAP set and EFLAGS.AC clear.
enum class AccessMode : u8 { kUser, kKernel, kKernelSmap };
constexpr unsigned kAccessModes = 3;

// Tags are linear page addresses; a tag that cannot match any address indexing its slot means "absent".
struct TlbEntry {
  u64 tag_read;
  u64 tag_write;  // absent while the page holds decoded code, is clean in the page table, or is read-only
  u64 physical;   // page address
  std::uintptr_t addend;  // host address = linear address + addend
  u8 write_allowed;       // paging lets this mode write (tag_write may still be absent because of code)
  u8 global;
  u8 page_shift;  // log2 of the size of the page in the page tables
  u8 listed;      // in which of TlbTable's lists its slot is
};

struct FetchEntry {
  u64 tag;
  u64 physical;
  u8 global;
  u8 page_shift;
  u8 listed;
};

// Slots, and which of them have been filled since the last flush, those of global pages apart: a guest
// switches address spaces far more often than it fills them all.
template <class Entry, unsigned kCount>
struct TlbTable {
  struct List {
    std::array<u16, kCount> slots;
    unsigned count = 0;
  };
  std::array<Entry, kCount> entries;
  std::array<List, 2> lists;  // [0]: filled with pages of one address space; [1]: with global ones

  void fill(unsigned index, const Entry& entry) {
    Entry& slot = entries[index];
    const unsigned which = entry.global != 0 ? 1 : 0;
    const auto listed = static_cast<u8>(slot.listed | 1u << which);
    if (listed != slot.listed) lists[which].slots[lists[which].count++] = static_cast<u16>(index);
    slot = entry;
    slot.listed = listed;
  }
};

class Tlb {
 public:
  static constexpr unsigned kDataEntries = 4096;
  static constexpr unsigned kFetchEntries = 4096;

  Tlb();
  static constexpr unsigned index_of(u64 linear) {
    return static_cast<unsigned>(linear >> kPageShift) & (kDataEntries - 1);
  }
  // A tag that no address with index `index` can match.
  static constexpr u64 absent_tag(unsigned index) { return static_cast<u64>(index ^ 1) << kPageShift; }

  TlbEntry* data(AccessMode mode) { return table(mode).entries.data(); }
  // A table in which everything is absent: for modes in which every access must be checked (alignment
  // checking).
  TlbEntry* absent() { return absent_.data(); }
  FetchEntry& fetch(bool user, u64 linear) { return fetch_[user ? 1 : 0].entries[index_of(linear)]; }
  void fill(AccessMode mode, u64 linear, const TlbEntry& entry) { table(mode).fill(index_of(linear), entry); }
  void fill_fetch(bool user, u64 linear, const FetchEntry& entry);

  void flush_all();
  void flush_non_global();
  // INVLPG: all of the page that holds `linear`, which fills many entries when it is a large one (SDM vol. 3,
  // "Operations that Invalidate TLBs and Paging-Structure Caches").
  void flush_page(u64 linear);
  // To be called when an entry of a large page is filled.
  void note_large_page(u64 linear, u8 page_shift) { large_regions_[region_slot(linear, page_shift)] = true; }
  // Drops write tags of a physical page in every mode (it now holds code). Host-side only: rights stay known.
  void drop_write_tags(u64 physical_page);
  // The same for every page whose bytes lie in [begin, begin + size).
  void drop_write_tags_of(const u8* begin, u64 size);
  // Drops the translations to [base, base + size).
  void drop_translations_to(u64 base, u64 size);
  // Host addends rebuilt after a restore, write tags where allowed and not code.
  void save(StateWriter& out) const;
  bool load(StateReader& in, PhysicalMemory& memory);

  // Changes whenever a fetch entry is dropped or replaced: lookups memoised by linear address are valid while
  // equal.
  u64 fetch_generation() const { return fetch_generation_; }
  void fetch_changed() { ++fetch_generation_; }

 private:
  using DataTable = TlbTable<TlbEntry, kDataEntries>;
  using FetchTable = TlbTable<FetchEntry, kFetchEntries>;
  DataTable& table(AccessMode mode) { return data_[static_cast<unsigned>(mode)]; }

  std::array<DataTable, kAccessModes> data_;
  std::array<TlbEntry, kDataEntries> absent_;
  // Which parts of the address space may have entries of large pages, so that flush_page() rarely has to
  // look.
  static constexpr unsigned kRegionSlots = 4096;
  static constexpr unsigned region_slot(u64 linear, u8 page_shift) {
    const u64 region = (linear >> page_shift) << 6 | page_shift;
    return static_cast<unsigned>((region * 0x9E3779B97F4A7C15ull) >> 52);
  }
  bool may_be_large(u64 linear) const;
  template <class Table, class Put>
  static void save_table(StateWriter& out, const Table& table, Put put);
  bool load_data(StateReader& in, PhysicalMemory& memory, DataTable& table);
  bool load_fetch(StateReader& in, FetchTable& table);
  std::array<bool, kRegionSlots> large_regions_{};
  std::array<FetchTable, 2> fetch_;
  u64 fetch_generation_ = 1;
};

}  // namespace lapwing
