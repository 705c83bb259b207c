#include "core/memory/tlb.h"

namespace lapwing {

namespace {

// Empties a slot, whose place in the list of used ones stays.
void clear(TlbEntry& entry, unsigned index) {
  entry = TlbEntry{.tag_read = Tlb::absent_tag(index),
                   .tag_write = Tlb::absent_tag(index),
                   .physical = 0,
                   .addend = 0,
                   .write_allowed = 0,
                   .global = 0,
                   .page_shift = kPageShift,
                   .listed = entry.listed};
}

void clear(FetchEntry& entry, unsigned index) {
  entry = FetchEntry{.tag = Tlb::absent_tag(index),
                     .physical = 0,
                     .global = 0,
                     .page_shift = kPageShift,
                     .listed = entry.listed};
}

bool is_absent(const TlbEntry& entry, unsigned index) {
  return entry.tag_read == Tlb::absent_tag(index);
}

bool is_absent(const FetchEntry& entry, unsigned index) {
  return entry.tag == Tlb::absent_tag(index);
}

template <class Table>
void clear_all(Table& table) {
  for (auto& list : table.lists) list.count = 0;
  for (unsigned i = 0; i < table.entries.size(); ++i) {
    table.entries[i].listed = 0;
    clear(table.entries[i], i);
  }
}

// Clears those slots of a list for which `drop(entry)` holds, and takes them off it.
template <class Table, class Predicate>
void clear_listed(Table& table, unsigned which, Predicate drop) {
  auto& list = table.lists[which];
  unsigned kept = 0;
  for (unsigned n = 0; n < list.count; ++n) {
    const unsigned index = list.slots[n];
    auto& entry = table.entries[index];
    if (entry.global == which && drop(entry)) clear(entry, index);
    if (entry.global == which && !is_absent(entry, index)) {
      list.slots[kept++] = static_cast<u16>(index);
    } else {
      entry.listed = static_cast<u8>(entry.listed & ~(1u << which));
    }
  }
  list.count = kept;
}

template <class Table, class Predicate>
void clear_where(Table& table, Predicate drop) {
  for (const unsigned which : {1u, 0u}) clear_listed(table, which, drop);
}

template <class Table, class Function>
void for_used(Table& table, Function function) {
  for (const auto& list : table.lists) {
    for (unsigned n = 0; n < list.count; ++n) function(table.entries[list.slots[n]], list.slots[n]);
  }
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
  for (unsigned i = 0; i < kDataEntries; ++i) {
    absent_[i].listed = 0;
    clear(absent_[i], i);
  }
  for (auto& table : data_) clear_all(table);
  for (auto& table : fetch_) clear_all(table);
}

void Tlb::fill_fetch(bool user, u64 linear, const FetchEntry& entry) {
  const unsigned index = index_of(linear);
  FetchTable& table = fetch_[user ? 1 : 0];
  if (!is_absent(table.entries[index], index)) fetch_changed();
  table.fill(index, entry);
}

void Tlb::flush_all() {
  const auto all = [](const auto&) { return true; };
  for (auto& table : data_) clear_where(table, all);
  for (auto& table : fetch_) clear_where(table, all);
  large_regions_.fill(false);
  fetch_changed();
}

void Tlb::flush_non_global() {
  const auto all = [](const auto&) { return true; };
  for (auto& table : data_) clear_listed(table, 0, all);
  for (auto& table : fetch_) clear_listed(table, 0, all);
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
      clear_where(table, [linear](const TlbEntry& entry) {
        return same_page(entry.tag_read, linear, entry.page_shift);
      });
    }
    for (auto& table : fetch_) {
      clear_where(table, [linear](const FetchEntry& entry) {
        return same_page(entry.tag, linear, entry.page_shift);
      });
    }
    fetch_changed();
    return;
  }
  const unsigned index = index_of(linear);
  const u64 page = linear & ~kPageMask;
  for (auto& table : data_) {
    if (table.entries[index].tag_read == page) clear(table.entries[index], index);
  }
  for (auto& table : fetch_) {
    if (table.entries[index].tag != page) continue;
    clear(table.entries[index], index);
    fetch_changed();
  }
}

void Tlb::drop_write_tags(u64 physical_page) {
  for (auto& table : data_) {
    for_used(table, [physical_page](TlbEntry& entry, unsigned index) {
      if (entry.physical == physical_page) entry.tag_write = absent_tag(index);
    });
  }
}

void Tlb::drop_write_tags_of(const u8* begin, u64 size) {
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  for (auto& table : data_) {
    for_used(table, [first, size](TlbEntry& entry, unsigned index) {
      const std::uintptr_t host = static_cast<std::uintptr_t>(entry.tag_read) + entry.addend;
      if (host - first < size) entry.tag_write = absent_tag(index);
    });
  }
}

void Tlb::drop_translations_to(u64 base, u64 size) {
  const auto inside = [base, size](const auto& entry) { return entry.physical - base < size; };
  for (auto& table : data_) clear_where(table, inside);
  for (auto& table : fetch_) clear_where(table, inside);
  fetch_changed();
}

template <class Table, class Put>
void Tlb::save_table(StateWriter& out, const Table& table, Put put) {
  u32 present = 0;
  for (unsigned i = 0; i < table.entries.size(); ++i) present += is_absent(table.entries[i], i) ? 0 : 1;
  out.put_u32(present);
  for (unsigned i = 0; i < table.entries.size(); ++i) {
    if (!is_absent(table.entries[i], i)) put(table.entries[i]);
  }
}

void Tlb::save(StateWriter& out) const {
  for (const auto& table : data_) {
    save_table(out, table, [&out](const TlbEntry& entry) {
      out.put_u64(entry.tag_read);
      out.put_u64(entry.physical);
      out.put_u8(entry.write_allowed);
      out.put_u8(entry.global);
      out.put_u8(entry.page_shift);
    });
  }
  for (const auto& table : fetch_) {
    save_table(out, table, [&out](const FetchEntry& entry) {
      out.put_u64(entry.tag);
      out.put_u64(entry.physical);
      out.put_u8(entry.global);
      out.put_u8(entry.page_shift);
    });
  }
}

bool Tlb::load_data(StateReader& in, PhysicalMemory& memory, DataTable& table) {
  const u64 tag = in.get_u64();
  const u64 physical = in.get_u64();
  const u8 write_allowed = in.get_u8();
  const u8 global = in.get_u8();
  const u8 page_shift = in.get_u8();
  const unsigned index = index_of(tag);
  u8* host = memory.readable_page(physical);
  const bool good = in.ok() && (tag & kPageMask) == 0 && host != nullptr && is_page_shift(page_shift);
  if (!good || !is_absent(table.entries[index], index)) return false;
  const bool writable = write_allowed != 0 && memory.writable_page(physical) != nullptr;
  table.fill(index,
             TlbEntry{.tag_read = tag,
                      .tag_write = writable && memory.code_bits(physical) == 0 ? tag : absent_tag(index),
                      .physical = physical,
                      .addend = reinterpret_cast<std::uintptr_t>(host) - static_cast<std::uintptr_t>(tag),
                      .write_allowed = write_allowed,
                      .global = global,
                      .page_shift = page_shift,
                      .listed = 0});
  if (page_shift != kPageShift) note_large_page(tag, page_shift);
  return true;
}

bool Tlb::load_fetch(StateReader& in, FetchTable& table) {
  const FetchEntry entry{.tag = in.get_u64(),
                         .physical = in.get_u64(),
                         .global = in.get_u8(),
                         .page_shift = in.get_u8(),
                         .listed = 0};
  const unsigned index = index_of(entry.tag);
  const bool good = in.ok() && (entry.tag & kPageMask) == 0 && is_page_shift(entry.page_shift);
  if (!good || !is_absent(table.entries[index], index)) return false;
  if (entry.page_shift != kPageShift) note_large_page(entry.tag, entry.page_shift);
  table.fill(index, entry);
  return true;
}

bool Tlb::load(StateReader& in, PhysicalMemory& memory) {
  flush_all();
  bool good = true;
  for (auto& table : data_) {
    for (u32 left = in.get_u32(); good && left > 0; --left) good = load_data(in, memory, table);
  }
  for (auto& table : fetch_) {
    for (u32 left = in.get_u32(); good && left > 0; --left) good = load_fetch(in, table);
  }
  if (!good) in.fail();
  fetch_changed();
  return in.ok();
}

}  // namespace lapwing
