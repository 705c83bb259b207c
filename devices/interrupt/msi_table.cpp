// Registers of the MSI and MSI-X capabilities as the monitor and the interrupt view show them.
#include <algorithm>
#include <iterator>

#include "devices/interrupt/msi.h"

namespace lapwing {

namespace {

constexpr char kAddressSection[] = "SDM vol. 3, Message Address Register Format";
constexpr char kDataSection[] = "SDM vol. 3, Message Data Register Format";

constexpr FieldInfo kMsiControlFields[] = {{"MSI enable", 0, 1},
                                           {"multiple message capable", 1, 3},
                                           {"multiple message enable", 4, 3},
                                           {"64-bit address capable", 7, 1},
                                           {"per-vector masking capable", 8, 1}};
constexpr FieldInfo kMsixControlFields[] = {
    {"table size minus 1", 0, 11}, {"function mask", 14, 1}, {"MSI-X enable", 15, 1}};
constexpr FieldInfo kPlaceFields[] = {{"BIR", 0, 3}, {"offset / 8", 3, 29}};
constexpr FieldInfo kAddressFields[] = {{"destination mode", 2, 1},
                                        {"redirection hint", 3, 1},
                                        {"destination", 12, 8},
                                        {"destination 31:8", 40, 24}};
constexpr FieldInfo kDataFields[] = {
    {"vector", 0, 8}, {"delivery mode", 8, 3}, {"level", 14, 1}, {"trigger mode", 15, 1}};
constexpr FieldInfo kVectorControlFields[] = {{"mask", 0, 1}};

#define LAPWING_VECTOR(n) {"vector " #n, n, 1}
constexpr FieldInfo kVectorBits[] = {
    LAPWING_VECTOR(0),  LAPWING_VECTOR(1),  LAPWING_VECTOR(2),  LAPWING_VECTOR(3),  LAPWING_VECTOR(4),
    LAPWING_VECTOR(5),  LAPWING_VECTOR(6),  LAPWING_VECTOR(7),  LAPWING_VECTOR(8),  LAPWING_VECTOR(9),
    LAPWING_VECTOR(10), LAPWING_VECTOR(11), LAPWING_VECTOR(12), LAPWING_VECTOR(13), LAPWING_VECTOR(14),
    LAPWING_VECTOR(15), LAPWING_VECTOR(16), LAPWING_VECTOR(17), LAPWING_VECTOR(18), LAPWING_VECTOR(19),
    LAPWING_VECTOR(20), LAPWING_VECTOR(21), LAPWING_VECTOR(22), LAPWING_VECTOR(23), LAPWING_VECTOR(24),
    LAPWING_VECTOR(25), LAPWING_VECTOR(26), LAPWING_VECTOR(27), LAPWING_VECTOR(28), LAPWING_VECTOR(29),
    LAPWING_VECTOR(30), LAPWING_VECTOR(31)};
#undef LAPWING_VECTOR

constexpr u8 count_of(std::size_t count) {
  return static_cast<u8>(count);
}

RegisterInfo describe(const char* name, u32 offset, u8 width, const char* section, const FieldInfo* fields,
                      std::size_t count) {
  return {name, offset, width, section, fields, count_of(count)};
}

constexpr RegisterInfo kMsixRegisters[] = {{"message control", msi_trace::kMsix, 16, "PCI 3.0, 6.8.2.3",
                                            kMsixControlFields, count_of(std::size(kMsixControlFields))},
                                           {"table place", msi_trace::kMsix + 4, 32, "PCI 3.0, 6.8.2.4",
                                            kPlaceFields, count_of(std::size(kPlaceFields))},
                                           {"PBA place", msi_trace::kMsix + 8, 32, "PCI 3.0, 6.8.2.5",
                                            kPlaceFields, count_of(std::size(kPlaceFields))}};

}  // namespace

void MsiCapability::describe_registers() {
  using namespace msi_trace;
  const std::size_t vectors = std::size_t{1} << log2_vectors_;
  infos_ = {
      describe("message control", kMsi, 16, "PCI 3.0, 6.8.1.3", kMsiControlFields,
               std::size(kMsiControlFields)),
      describe("message address", kMsi + 4, 64, kAddressSection, kAddressFields, std::size(kAddressFields)),
      describe("message data", kMsi + 12, 16, kDataSection, kDataFields, std::size(kDataFields)),
      describe("mask bits", kMsi + 16, 32, "PCI 3.0, 6.8.1.7", kVectorBits, vectors),
      describe("pending bits", kMsi + 20, 32, "PCI 3.0, 6.8.1.8", kVectorBits, vectors)};
}

std::vector<RegisterValue> MsiCapability::registers() const {
  const u64 contents[] = {read_dword(0) >> 16, address_, data_, mask_, pending_};
  std::vector<RegisterValue> values;
  for (std::size_t i = 0; i < infos_.size(); ++i) values.push_back({&infos_[i], contents[i]});
  return values;
}

void MsixCapability::describe_registers() {
  const auto name = [this](const std::string& text) { return names_.emplace_back(text).c_str(); };
  for (unsigned vector = 0; vector < vectors(); ++vector) {
    const std::string of = "vector " + std::to_string(vector) + " ";
    const u32 at = msi_trace::kMsixTable + vector * kEntrySize;
    infos_.push_back(
        describe(name(of + "address"), at, 64, kAddressSection, kAddressFields, std::size(kAddressFields)));
    infos_.push_back(
        describe(name(of + "data"), at + 8, 32, kDataSection, kDataFields, std::size(kDataFields)));
    infos_.push_back(describe(name(of + "control"), at + 12, 32, "PCI 3.0, 6.8.2.9", kVectorControlFields,
                              std::size(kVectorControlFields)));
  }
  constexpr unsigned kBits = 32;
  for (unsigned first = 0; first < vectors(); first += kBits) {
    const unsigned count = std::min(kBits, vectors() - first);
    const FieldInfo* fields = kVectorBits;
    if (first != 0) {
      fields_.emplace_back();
      for (unsigned i = 0; i < count; ++i)
        fields_.back().push_back({name("vector " + std::to_string(first + i)), static_cast<u8>(i), 1});
      fields = fields_.back().data();
    }
    const std::string of = "pending " + std::to_string(first) + "-" + std::to_string(first + count - 1);
    infos_.push_back(
        describe(name(of), msi_trace::kMsixPba + first / 8, 32, "PCI 3.0, 6.8.2.10", fields, count));
  }
}

std::vector<RegisterValue> MsixCapability::registers() const {
  std::vector<RegisterValue> values;
  values.push_back({&kMsixRegisters[0], read_dword(0) >> 16});
  values.push_back({&kMsixRegisters[1], read_dword(1)});
  values.push_back({&kMsixRegisters[2], read_dword(2)});
  std::size_t next = 0;
  for (const Entry& entry : entries_) {
    const bool untouched = entry.address == 0 && entry.data == 0 && (entry.control & 1) != 0;
    const u64 contents[] = {entry.address, entry.data, entry.control};
    for (const u64 value : contents) {
      if (!untouched) values.push_back({&infos_[next], value});
      ++next;
    }
  }
  for (u64 offset = 0; next < infos_.size(); offset += 4, ++next)
    values.push_back({&infos_[next], pba_read(offset, 4)});
  return values;
}

}  // namespace lapwing
