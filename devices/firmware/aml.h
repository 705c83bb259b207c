// Builds ACPI Machine Language: each function returns the bytes of one term, and terms nest as arguments.
// ACPI specification 6.4, chapter 20 "AML Specification" and section 6.4 "Resource Data Types".
// Only the terms that the DSDT needs.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "core/types.h"

namespace lapwing::aml {

using Aml = std::vector<u8>;
using Terms = std::vector<Aml>;

Aml concat(const Terms& terms);

// Data objects.
Aml integer(u64 value);
Aml string(std::string_view text);
Aml eisa_id(std::string_view id);  // "PNP0A03"
Aml buffer(const Aml& bytes);
Aml package(const Terms& elements);  // at most 255
// A NameString: "\\_SB.PCI0", "PRQ0"; short segments are padded with '_'.
Aml path(std::string_view name);

// Named objects.
Aml name(std::string_view name, const Aml& value);
Aml scope(std::string_view name, const Terms& body);
Aml device(std::string_view name, const Terms& body);
Aml method(std::string_view name, unsigned arguments, bool serialized, const Terms& body);
enum class RegionSpace : u8 { kSystemMemory = 0, kSystemIo = 1, kPciConfig = 2 };
Aml operation_region(std::string_view name, RegionSpace space, u64 offset, u64 length);
// Consecutive 8-bit fields, byte access, unlocked, preserved.
Aml byte_fields(std::string_view region, std::initializer_list<std::string_view> names);
Aml create_dword_field(const Aml& source, u64 byte_index, std::string_view name);

// Expressions and statements.
Aml arg(unsigned index);
Aml bit_and(const Aml& a, const Aml& b);
Aml bit_or(const Aml& a, const Aml& b, const Aml& target);
Aml less(const Aml& a, const Aml& b);
Aml store(const Aml& value, const Aml& target);
Aml call(std::string_view method, const Terms& arguments);
Aml if_then(const Aml& predicate, const Terms& body);
Aml return_value(const Aml& value);

// Resource descriptors; template_of() makes the buffer with its end tag.
Aml template_of(const Terms& descriptors);
Aml io(u16 first, u8 length);  // 16-bit decode, fixed
Aml irq(unsigned line);        // edge-triggered, active high, exclusive
Aml dma(unsigned channel);     // 8-bit, not bus master
Aml memory32_fixed(u32 base, u32 length);
// Level-triggered, active high, shared, consumer.
Aml interrupts(std::initializer_list<u32> lines);
constexpr u64 kInterruptNumberOffset = 5;  // byte of the first number in an interrupts() descriptor
Aml word_bus_number(u16 first, u16 last);
Aml word_io(u16 first, u16 last);
Aml dword_memory(u32 first, u32 last, bool cacheable);

}  // namespace lapwing::aml
