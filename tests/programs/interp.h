// A small register machine, whose two programs interp_switch.c and interp_goto.c run by the two usual ways of
// dispatch: a sieve of primes and the longest chain of Collatz's rule.
#pragma once
#include "guest.h"

// Each: name, and what it does with `in` (the instruction), `r` (registers), `memory` and `pc`.
#define INTERP_OPERATIONS(X)                                  \
  X(kConstant, r[in->a] = in->value)                          \
  X(kMove, r[in->a] = r[in->b])                               \
  X(kAdd, r[in->a] = r[in->b] + r[in->c])                     \
  X(kAddConstant, r[in->a] = r[in->b] + in->value)            \
  X(kMultiplyAdd, r[in->a] = r[in->b] * in->value + r[in->c]) \
  X(kAndConstant, r[in->a] = r[in->b] & in->value)            \
  X(kShiftRight, r[in->a] = r[in->b] >> in->value)            \
  X(kXor, r[in->a] = r[in->b] ^ r[in->c])                     \
  X(kLoad, r[in->a] = memory[r[in->b] & (kCells - 1)])        \
  X(kStore, memory[r[in->b] & (kCells - 1)] = (u8)r[in->a])   \
  X(kJump, pc = in->value)                                    \
  X(kJumpIfZero, pc = r[in->a] ? pc : in->value)              \
  X(kJumpIfNotZero, pc = r[in->a] ? in->value : pc)           \
  X(kJumpIfLess, pc = r[in->a] < r[in->b] ? in->value : pc)

enum { kCells = 4096, kRegisters = 16 };
#define INTERP_NAME(name, action) name,
enum Operation { INTERP_OPERATIONS(INTERP_NAME) kStop, kOperations };

struct Instruction {
  u8 operation, a, b, c;
  u32 value;
};

static u8 memory[kCells];

// r0 counts primes below r15 with multiples crossed out in memory.
static const struct Instruction kSieve[] = {
    {kConstant, 0, 0, 0, 0},    {kConstant, 1, 0, 0, 0},    {kConstant, 9, 0, 0, 0},
    {kStore, 9, 1, 0, 0},       {kAddConstant, 1, 1, 0, 1}, {kJumpIfLess, 1, 15, 0, 3},
    {kConstant, 1, 0, 0, 2},    {kLoad, 2, 1, 0, 0},        {kJumpIfNotZero, 2, 0, 0, 15},
    {kAddConstant, 0, 0, 0, 1}, {kAdd, 3, 1, 1, 0},         {kConstant, 4, 0, 0, 1},
    {kStore, 4, 3, 0, 0},       {kAdd, 3, 3, 1, 0},         {kJumpIfLess, 3, 15, 0, 12},
    {kAddConstant, 1, 1, 0, 1}, {kJumpIfLess, 1, 15, 0, 7}, {kStop, 0, 0, 0, 0},
};

// r0 is the start below r15 with the longest chain, mixed with its length.
static const struct Instruction kCollatz[] = {
    {kConstant, 0, 0, 0, 0},       {kConstant, 1, 0, 0, 1},    {kConstant, 5, 0, 0, 0},
    {kMove, 2, 1, 0, 0},           {kConstant, 3, 0, 0, 0},    {kAddConstant, 4, 2, 0, 0xffffffff},
    {kJumpIfZero, 4, 0, 0, 14},    {kAddConstant, 3, 3, 0, 1}, {kAndConstant, 4, 2, 0, 1},
    {kJumpIfNotZero, 4, 0, 0, 12}, {kShiftRight, 2, 2, 0, 1},  {kJump, 0, 0, 0, 5},
    {kMultiplyAdd, 2, 2, 7, 3},    {kJump, 0, 0, 0, 5},        {kJumpIfLess, 3, 5, 0, 17},
    {kMove, 5, 3, 0, 0},           {kXor, 0, 1, 5, 0},         {kAddConstant, 1, 1, 0, 1},
    {kJumpIfLess, 1, 15, 0, 3},    {kStop, 0, 0, 0, 0},
};

static u32 interpret(const struct Instruction* code, u32 limit);

static int run_interpreter(const char* name, int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 480);
  u32 sum = 0;
  for (u32 i = 0; i < rounds; i++) {
    sum = mix(sum, interpret(kSieve, 4000 + (i & 15)));
    sum = mix(sum, interpret(kCollatz, 1500 + (i & 15)));
  }
  print_checksum(name, sum);
  return 0;
}
