#include "devices/firmware/aml.h"

namespace lapwing::aml {

namespace {

enum Op : u8 {
  kZero = 0x00,
  kOne = 0x01,
  kName = 0x08,
  kByte = 0x0A,
  kWord = 0x0B,
  kDword = 0x0C,
  kString = 0x0D,
  kQword = 0x0E,
  kScope = 0x10,
  kBuffer = 0x11,
  kPackage = 0x12,
  kMethod = 0x14,
  kDualName = 0x2E,
  kMultiName = 0x2F,
  kExtended = 0x5B,
  kArg0 = 0x68,
  kStore = 0x70,
  kAnd = 0x7B,
  kOr = 0x7D,
  kCreateDwordField = 0x8A,
  kLess = 0x95,
  kIf = 0xA0,
  kReturn = 0xA4,
};
enum ExtendedOp : u8 { kOpRegion = 0x80, kField = 0x81, kDevice = 0x82 };

// Tags of the resource descriptors; small ones carry their length in bits 2:0.
enum ResourceTag : u8 {
  kTagIrq = 0x22,
  kTagDma = 0x2A,
  kTagIo = 0x47,
  kTagEnd = 0x79,
  kTagMemory32Fixed = 0x86,
  kTagDwordSpace = 0x87,
  kTagWordSpace = 0x88,
  kTagExtendedInterrupt = 0x89,
};
enum SpaceType : u8 { kMemorySpace = 0, kIoSpace = 1, kBusSpace = 2 };
constexpr u8 kSpaceFixedProducer = 0x0C;  // minimum and maximum fixed, positive decode, producer

constexpr std::size_t kSegmentSize = 4;

void append(Aml& out, u64 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) out.push_back(static_cast<u8>(value >> (i * 8)));
}

void append(Aml& out, const Aml& bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// PkgLength counts itself: 6 bits in one byte, or 4 bits plus one to three bytes.
Aml package_length(std::size_t content) {
  Aml out;
  if (content + 1 < 0x40) {
    append(out, content + 1, 1);
    return out;
  }
  unsigned extra = 1;
  while (content + 1 + extra >= (1ull << (4 + 8 * extra))) ++extra;
  const u64 total = content + 1 + extra;
  append(out, (extra << 6) | (total & 0xF), 1);
  append(out, total >> 4, extra);
  return out;
}

Aml packaged(std::initializer_list<u8> opcode, const Aml& content) {
  Aml out(opcode);
  append(out, package_length(content.size()));
  append(out, content);
  return out;
}

Aml with_body(const Aml& head, const Terms& body) {
  Aml content = head;
  append(content, concat(body));
  return content;
}

void append_segment(Aml& out, std::string_view segment) {
  ASSERT(!segment.empty() && segment.size() <= kSegmentSize);
  for (std::size_t i = 0; i < kSegmentSize; ++i)
    out.push_back(static_cast<u8>(i < segment.size() ? segment[i] : '_'));
}

unsigned hex_digit(char digit) {
  return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'A' + 10);
}

}  // namespace

Aml concat(const Terms& terms) {
  Aml out;
  for (const Aml& term : terms) append(out, term);
  return out;
}

Aml integer(u64 value) {
  if (value == 0) return {kZero};
  if (value == 1) return {kOne};
  const unsigned size = value <= 0xFF ? 1 : value <= 0xFFFF ? 2 : value <= 0xFFFFFFFF ? 4 : 8;
  Aml out = {size == 1 ? kByte : size == 2 ? kWord : size == 4 ? kDword : kQword};
  append(out, value, size);
  return out;
}

Aml string(std::string_view text) {
  Aml out = {kString};
  out.insert(out.end(), text.begin(), text.end());
  out.push_back(0);
  return out;
}

Aml eisa_id(std::string_view id) {
  ASSERT(id.size() == 7);
  u32 value = 0;
  for (std::size_t i = 0; i < 3; ++i) value = (value << 5) | ((static_cast<u32>(id[i]) - 0x40) & 0x1F);
  for (std::size_t i = 3; i < 7; ++i) value = (value << 4) | hex_digit(id[i]);
  Aml out = {kDword};
  for (unsigned shift = 32; shift > 0; shift -= 8) append(out, value >> (shift - 8), 1);
  return out;
}

Aml buffer(const Aml& bytes) {
  Aml content = integer(bytes.size());
  append(content, bytes);
  return packaged({kBuffer}, content);
}

Aml package(const Terms& elements) {
  ASSERT(elements.size() <= 255);
  return packaged({kPackage}, with_body({static_cast<u8>(elements.size())}, elements));
}

Aml path(std::string_view name) {
  Aml out;
  if (!name.empty() && name[0] == '\\') {
    out.push_back('\\');
    name.remove_prefix(1);
  }
  std::vector<std::string_view> segments;
  while (!name.empty()) {
    const std::size_t dot = name.find('.');
    segments.push_back(name.substr(0, dot));
    name = dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1);
  }
  if (segments.size() == 2) out.push_back(kDualName);
  if (segments.size() > 2) {
    out.push_back(kMultiName);
    append(out, segments.size(), 1);
  }
  if (segments.empty()) out.push_back(kZero);
  for (const std::string_view segment : segments) append_segment(out, segment);
  return out;
}

Aml name(std::string_view name, const Aml& value) {
  return concat({{kName}, path(name), value});
}

Aml scope(std::string_view name, const Terms& body) {
  return packaged({kScope}, with_body(path(name), body));
}

Aml device(std::string_view name, const Terms& body) {
  return packaged({kExtended, kDevice}, with_body(path(name), body));
}

Aml method(std::string_view name, unsigned arguments, bool serialized, const Terms& body) {
  Aml head = path(name);
  append(head, arguments | (serialized ? 8u : 0u), 1);
  return packaged({kMethod}, with_body(head, body));
}

Aml operation_region(std::string_view name, RegionSpace space, u64 offset, u64 length) {
  return concat(
      {{kExtended, kOpRegion}, path(name), {static_cast<u8>(space)}, integer(offset), integer(length)});
}

Aml byte_fields(std::string_view region, std::initializer_list<std::string_view> names) {
  constexpr u8 kByteAccess = 1;
  Aml content = path(region);
  append(content, kByteAccess, 1);
  for (const std::string_view field : names) {
    append_segment(content, field);
    append(content, 8, 1);  // width in bits, as a PkgLength
  }
  return packaged({kExtended, kField}, content);
}

Aml create_dword_field(const Aml& source, u64 byte_index, std::string_view name) {
  return concat({{kCreateDwordField}, source, integer(byte_index), path(name)});
}

Aml arg(unsigned index) {
  return {static_cast<u8>(kArg0 + index)};
}

Aml bit_and(const Aml& a, const Aml& b) {
  return concat({{kAnd}, a, b, {kZero}});
}

Aml bit_or(const Aml& a, const Aml& b, const Aml& target) {
  return concat({{kOr}, a, b, target});
}

Aml less(const Aml& a, const Aml& b) {
  return concat({{kLess}, a, b});
}

Aml store(const Aml& value, const Aml& target) {
  return concat({{kStore}, value, target});
}

Aml call(std::string_view method, const Terms& arguments) {
  return concat({path(method), concat(arguments)});
}

Aml if_then(const Aml& predicate, const Terms& body) {
  return packaged({kIf}, with_body(predicate, body));
}

Aml return_value(const Aml& value) {
  return concat({{kReturn}, value});
}

Aml template_of(const Terms& descriptors) {
  Aml bytes = concat(descriptors);
  bytes.push_back(kTagEnd);
  bytes.push_back(0);  // 0 = the checksum is to be taken as correct
  return buffer(bytes);
}

Aml io(u16 first, u8 length) {
  Aml out = {kTagIo, 1};
  append(out, first, 2);
  append(out, first, 2);
  append(out, 1, 1);
  append(out, length, 1);
  return out;
}

Aml irq(unsigned line) {
  Aml out = {kTagIrq};
  append(out, 1u << line, 2);
  return out;
}

Aml dma(unsigned channel) {
  return {kTagDma, static_cast<u8>(1u << channel), 0};
}

Aml memory32_fixed(u32 base, u32 length) {
  Aml out = {kTagMemory32Fixed, 9, 0, 1};
  append(out, base, 4);
  append(out, length, 4);
  return out;
}

Aml interrupts(std::initializer_list<u32> lines) {
  constexpr u8 kConsumer = 1;
  constexpr u8 kShared = 1 << 3;
  Aml out = {kTagExtendedInterrupt};
  append(out, 2 + 4 * lines.size(), 2);
  append(out, kConsumer | kShared, 1);
  append(out, lines.size(), 1);
  for (const u32 line : lines) append(out, line, 4);
  return out;
}

Aml word_bus_number(u16 first, u16 last) {
  Aml out = {kTagWordSpace, 13, 0, kBusSpace, kSpaceFixedProducer, 0};
  for (const unsigned value : {0u, unsigned{first}, unsigned{last}, 0u, last - first + 1u})
    append(out, value, 2);
  return out;
}

Aml word_io(u16 first, u16 last) {
  constexpr u8 kEntireRange = 3;
  Aml out = {kTagWordSpace, 13, 0, kIoSpace, kSpaceFixedProducer, kEntireRange};
  for (const unsigned value : {0u, unsigned{first}, unsigned{last}, 0u, last - first + 1u})
    append(out, value, 2);
  return out;
}

Aml dword_memory(u32 first, u32 last, bool cacheable) {
  Aml out = {kTagDwordSpace, 23, 0, kMemorySpace, kSpaceFixedProducer, static_cast<u8>(cacheable ? 3 : 1)};
  for (const u32 value : {0u, first, last, 0u, last - first + 1}) append(out, value, 4);
  return out;
}

}  // namespace lapwing::aml
