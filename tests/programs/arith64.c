// 64-bit arithmetic: products, variable shifts and rotations, carries and comparisons, and long division by a 32-bit
// divisor. On i386 each of these takes several instructions and the carry flag.
#include "guest.h"

enum { kDigits = 32 };

static u64 state[4] = {0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u, 0x94d049bb133111ebu, 1};

static u64 rotate(u64 value, u32 count) {
  return (value << count) | (value >> (64 - count));
}

static u64 next(void) {
  u64 result = rotate(state[1] * 5, 7) * 9;
  u64 shifted = state[1] << 17;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= shifted;
  state[3] = rotate(state[3], 45);
  return result;
}

/** The upper half of a 128-bit product, by four products of 32-bit halves. */
static u64 multiply_high(u64 a, u64 b) {
  u64 low = (u64)(u32)a * (u32)b;
  u64 middle = (a >> 32) * (u32)b + (low >> 32);
  u64 other = (u64)(u32)a * (b >> 32) + (u32)middle;
  return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
}

/** 64 bits by 32 bits, whose quotient fits: one DIV. */
static u32 divide(u64 value, u32 divisor, u32* remainder) {
  u32 quotient;
  __asm__("divl %4" : "=a"(quotient), "=d"(*remainder) : "0"((u32)value), "1"((u32)(value >> 32)), "r"(divisor));
  return quotient;
}

static u32 divide_digits(u32* digits, u32 divisor) {
  u32 remainder = 0;
  for (int i = kDigits - 1; i >= 0; i--) {
    u64 part = ((u64)remainder << 32) | digits[i];
    digits[i] = divide(part, divisor, &remainder);
  }
  return remainder;
}

static void multiply_digits(u32* digits, u32 factor, u32 carry) {
  for (int i = 0; i < kDigits; i++) {
    u64 product = (u64)digits[i] * factor + carry;
    digits[i] = (u32)product;
    carry = (u32)(product >> 32);
  }
}

static u64 random_work(u32 count) {
  u64 sum = 0;
  for (u32 i = 0; i < count; i++) {
    u64 a = next();
    u64 b = next();
    u64 high = multiply_high(a, b);
    sum += high > a ? high - a : a >> (b & 31);
    if ((long long)(a ^ sum) < (long long)b) sum ^= b << (a & 31);
  }
  return sum;
}

static u32 digit_work(u32 count) {
  u32 digits[kDigits] = {1};
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    multiply_digits(digits, 0x10001u + (i << 3), i);
    sum = mix(sum, divide_digits(digits, 10007u + i));
  }
  return sum;
}

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 18000);
  u32 sum = 0;
  for (u32 i = 0; i < rounds; i++) {
    u64 value = random_work(2000);
    sum = mix(mix(sum, (u32)value), (u32)(value >> 32));
    sum = mix(sum, digit_work(150));
  }
  print_checksum("arith64", sum);
  return 0;
}
