// Golden cases tests/golden/decode/*.txt: bytes => text. Run with LAPWING_UPDATE_GOLDEN=1 to rewrite the
// texts, then read the diff.
#include "core/cpu/decode/disassembler.h"

#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "core/cpu/decode/decoder.h"
#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

constexpr u64 kAddress = 0x1000;

std::string golden_path(const std::string& name) {
  const std::string here = __FILE__;
  return here.substr(0, here.rfind("unit/")) + "golden/decode/" + name;
}

std::vector<u8> parse_bytes(const std::string& text) {
  std::vector<u8> bytes;
  for (std::size_t at = 0; at + 1 < text.size(); at += 3) {
    bytes.push_back(static_cast<u8>(std::stoul(text.substr(at, 2), nullptr, 16)));
  }
  return bytes;
}

struct Case {
  std::string bytes;  // or a whole comment line
  std::string text;
};

std::vector<Case> read_cases(const std::string& path) {
  std::vector<Case> cases;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto arrow = line.find(" => ");
    cases.push_back(arrow == line.npos ? Case{line, ""}
                                       : Case{line.substr(0, arrow), line.substr(arrow + 4)});
  }
  return cases;
}

bool is_comment(const Case& one) {
  return one.bytes.empty() || one.bytes[0] == '#';
}

// The text, and how many of the bytes were not part of the instruction.
std::string decode_case(const Case& one, u8 code_size, std::set<Op>& ops) {
  const std::vector<u8> bytes = parse_bytes(one.bytes);
  Instruction in;
  const auto available = static_cast<unsigned>(bytes.size());
  if (decode(bytes.data(), available, {code_size, true}, 0, in) != DecodeResult::kOk) return "(more)";
  ops.insert(in.op);
  const std::string left = std::to_string(bytes.size() - in.length);
  return disassemble(in, kAddress) + (left == "0" ? "" : "  ; " + left + " bytes left");
}

void check_file(const std::string& name, u8 code_size, std::set<Op>& ops) {
  const std::string path = golden_path(name);
  std::vector<Case> cases = read_cases(path);
  REQUIRE(!cases.empty());
  const bool update = std::getenv("LAPWING_UPDATE_GOLDEN") != nullptr;
  for (Case& one : cases) {
    if (is_comment(one)) continue;
    const std::string text = decode_case(one, code_size, ops);
    if (update) one.text = text;
    INFO(name << ": " << one.bytes);
    CHECK(text == one.text);
  }
  if (!update) return;
  std::ofstream out(path);
  for (const Case& one : cases) out << one.bytes << (is_comment(one) ? "" : " => " + one.text) << '\n';
}

}  // namespace

TEST_CASE("every operation disassembles as its golden case says") {
  std::set<Op> ops;
  check_file("code64.txt", 8, ops);
  check_file("code32.txt", 4, ops);
  check_file("code16.txt", 2, ops);
  CHECK(ops.size() == static_cast<std::size_t>(Op::kCount));
}
