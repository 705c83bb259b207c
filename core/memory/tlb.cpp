#include "core/memory/tlb.h"

namespace lapwing {

namespace {

void clear(TlbEntry& entry, unsigned index) {
  entry = TlbEntry{.tag_read = Tlb::absent_tag(index),
                   .tag_write = Tlb::absent_tag(index),
                   .physical = 0,
                   .addend = 0,
                   .write_allowed = 0,
                   .global = 0,
                   .page_shift = kPageShift};
}

void clear(FetchEntry& entry, unsigned index) {
  entry = FetchEntry{.tag = Tlb::absent_tag(index), .physical = 0, .global = 0, .page_shift = kPageShift};
}

// 4 MiB, 2 MiB and 1 GiB pages.
constexpr u8 kLargeShifts[] = {22, 21, 30};

bool is_page_shift(u8 shift) {
  return shift == kPageShift || shift == 21 || shift == 22 || shift == 30;
}

bool same_page(u64 tag, u64 linear, u8 page_shift) {
  return ((tag ^ linear) >> page_shift) == 0;
}

}  // namespace

Tlb::Tlb() {
  for (unsigned i = 0; i < kDataEntries; ++i) clear(absent_[i], i);
  flush_all();
}

void Tlb::flush_all() {
  for (auto& table : data_) {
    for (unsigned i = 0; i < kDataEntries; ++i) clear(table[i], i);
  }
  for (auto& table : fetch_) {
    for (unsigned i = 0; i < kFetchEntries; ++i) clear(table[i], i);
  }
  large_regions_.fill(false);
  fetch_changed();
}

void Tlb::flush_non_global() {
  for (auto& table : data_) {
    for (unsigned i = 0; i < kDataEntries; ++i) {
      if (table[i].global == 0) clear(table[i], i);
    }
  }
  for (auto& table : fetch_) {
    for (unsigned i = 0; i < kFetchEntries; ++i) {
      if (table[i].global == 0) clear(table[i], i);
    }
  }
  fetch_changed();
}

bool Tlb::may_be_large(u64 linear) const {
  for (const u8 shift : kLargeShifts) {
    if (large_regions_[region_slot(linear, shift)]) return true;
  }
  return false;
}

void Tlb::flush_page(u64 linear) {
  if (may_be_large(linear)) {
    for (auto& table : data_) {
      for (unsigned i = 0; i < kDataEntries; ++i) {
        if (same_page(table[i].tag_read, linear, table[i].page_shift)) clear(table[i], i);
      }
    }
    for (auto& table : fetch_) {
      for (unsigned i = 0; i < kFetchEntries; ++i) {
        if (same_page(table[i].tag, linear, table[i].page_shift)) clear(table[i], i);
      }
    }
    fetch_changed();
    return;
  }
  const unsigned index = index_of(linear);
  const u64 page = linear & ~kPageMask;
  for (auto& table : data_) {
    if (table[index].tag_read == page) clear(table[index], index);
  }
  for (auto& table : fetch_) {
    if (table[index].tag == page) {
      clear(table[index], index);
      fetch_changed();
    }
  }
}

void Tlb::drop_write_tags(u64 physical_page) {
  for (auto& table : data_) {
    for (unsigned i = 0; i < kDataEntries; ++i) {
      if (table[i].physical == physical_page) table[i].tag_write = absent_tag(i);
    }
  }
}

void Tlb::drop_write_tags_of(const u8* begin, u64 size) {
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  for (auto& table : data_) {
    for (unsigned i = 0; i < kDataEntries; ++i) {
      TlbEntry& entry = table[i];
      const std::uintptr_t host = static_cast<std::uintptr_t>(entry.tag_read) + entry.addend;
      if (host - first < size) entry.tag_write = absent_tag(i);
    }
  }
}

void Tlb::drop_translations_to(u64 base, u64 size) {
  for (auto& table : data_) {
    for (unsigned i = 0; i < kDataEntries; ++i) {
      if (table[i].physical - base < size) clear(table[i], i);
    }
  }
  for (auto& table : fetch_) {
    for (unsigned i = 0; i < kFetchEntries; ++i) {
      if (table[i].physical - base < size) clear(table[i], i);
    }
  }
  fetch_changed();
}

void Tlb::save(StateWriter& out) const {
  for (const auto& table : data_) {
    for (unsigned i = 0; i < kDataEntries; ++i) {
      const TlbEntry& entry = table[i];
      out.put_u64(entry.tag_read);
      out.put_u64(entry.physical);
      out.put_u8(entry.write_allowed);
      out.put_u8(entry.global);
      out.put_u8(entry.page_shift);
    }
  }
  for (const auto& table : fetch_) {
    for (const FetchEntry& entry : table) {
      out.put_u64(entry.tag);
      out.put_u64(entry.physical);
      out.put_u8(entry.global);
      out.put_u8(entry.page_shift);
    }
  }
}

bool Tlb::load(StateReader& in, PhysicalMemory& memory) {
  flush_all();
  for (auto& table : data_) {
    for (unsigned i = 0; i < kDataEntries; ++i) {
      TlbEntry& entry = table[i];
      const u64 tag = in.get_u64();
      const u64 physical = in.get_u64();
      const u8 write_allowed = in.get_u8();
      const u8 global = in.get_u8();
      const u8 page_shift = in.get_u8();
      if (tag == absent_tag(i)) continue;
      u8* host = memory.readable_page(physical);
      if (index_of(tag) != i || (tag & kPageMask) != 0 || host == nullptr || !is_page_shift(page_shift)) {
        in.fail();
        return false;
      }
      entry.tag_read = tag;
      entry.physical = physical;
      entry.write_allowed = write_allowed;
      entry.global = global;
      entry.page_shift = page_shift;
      if (page_shift != kPageShift) note_large_page(tag, page_shift);
      entry.addend = reinterpret_cast<std::uintptr_t>(host) - static_cast<std::uintptr_t>(tag);
      const bool writable = write_allowed != 0 && memory.writable_page(physical) != nullptr;
      if (writable && memory.code_bits(physical) == 0) entry.tag_write = tag;
    }
  }
  for (auto& table : fetch_) {
    for (unsigned i = 0; i < kFetchEntries; ++i) {
      const FetchEntry entry{
          .tag = in.get_u64(), .physical = in.get_u64(), .global = in.get_u8(), .page_shift = in.get_u8()};
      if ((entry.tag != absent_tag(i) && index_of(entry.tag) != i) || !is_page_shift(entry.page_shift)) {
        in.fail();
        return false;
      }
      if (entry.page_shift != kPageShift) note_large_page(entry.tag, entry.page_shift);
      table[i] = entry;
    }
  }
  fetch_changed();
  return in.ok();
}

}  // namespace lapwing
