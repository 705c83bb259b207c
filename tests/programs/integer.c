// Integer work of four kinds in turn, no string instructions: a linked list is searched and sorted, matrices
// are multiplied, a state machine scans text, and a CRC runs bit by bit over the results.
#include "guest.h"

enum { kNodes = 256, kSize = 12, kText = 600 };

struct Node {
  struct Node* next;
  u32 key;
  u32 value;
};

static struct Node nodes[kNodes];
static int left[kSize][kSize], right[kSize][kSize], product[kSize][kSize];
static char text[kText];

static u32 crc16(u32 crc, u32 data) {
  for (int bit = 0; bit < 16; bit++, data >>= 1) {
    u32 carry = (crc ^ data) & 1;
    crc >>= 1;
    if (carry) crc ^= 0xa001;
  }
  return crc;
}

static struct Node* merge(struct Node* a, struct Node* b) {
  struct Node head = {0, 0, 0};
  struct Node* tail = &head;
  while (a && b) {
    struct Node** first = a->key <= b->key ? &a : &b;
    tail->next = *first;
    tail = *first;
    *first = tail->next;
  }
  tail->next = a ? a : b;
  return head.next;
}

static struct Node* sort(struct Node* list, u32 length) {
  if (length < 2) return list;
  struct Node* middle = list;
  for (u32 i = 1; i < length / 2; i++) middle = middle->next;
  struct Node* rest = middle->next;
  middle->next = 0;
  return merge(sort(list, length / 2), sort(rest, length - length / 2));
}

static u32 list_work(u32* seed) {
  for (u32 i = 0; i < kNodes; i++) {
    nodes[i].next = i + 1 < kNodes ? &nodes[i + 1] : 0;
    nodes[i].key = next_random(seed) & 0x3ff;
    nodes[i].value = i;
  }
  u32 found = 0;
  for (u32 wanted = 0; wanted < 16; wanted++) {
    for (const struct Node* at = nodes; at; at = at->next) {
      if ((at->key & 0xff) == wanted * 7) found += at->value;
    }
  }
  u32 crc = found;
  u32 rank = 0;
  for (const struct Node* at = sort(nodes, kNodes); at; at = at->next) {
    if ((rank++ & 15) == 0) crc = crc16(crc, at->key ^ at->value);
  }
  return crc;
}

static u32 matrix_work(u32* seed) {
  for (int i = 0; i < kSize; i++) {
    for (int j = 0; j < kSize; j++) {
      left[i][j] = (int)(next_random(seed) & 0xff) - 128;
      right[i][j] = (int)(next_random(seed) & 0xff) - 128;
    }
  }
  u32 crc = 0;
  for (int i = 0; i < kSize; i++) {
    for (int j = 0; j < kSize; j++) {
      int sum = 0;
      for (int k = 0; k < kSize; k++) sum += left[i][k] * right[k][j];
      product[i][j] = sum;
    }
    crc = crc16(crc, (u32)product[i][i]);
  }
  return crc;
}

enum State { kStart, kSign, kInteger, kFraction, kExponent, kInvalid, kStates };

static enum State step(enum State state, char c) {
  int is_digit = c >= '0' && c <= '9';
  switch (state) {
    case kStart:
      if (is_digit) return kInteger;
      if (c == '+' || c == '-') return kSign;
      return c == '.' ? kFraction : kInvalid;
    case kSign: return is_digit ? kInteger : c == '.' ? kFraction : kInvalid;
    case kInteger: return is_digit ? kInteger : c == '.' ? kFraction : c == 'e' ? kExponent : kInvalid;
    case kFraction: return is_digit ? kFraction : c == 'e' ? kExponent : kInvalid;
    case kExponent: return is_digit || c == '-' ? kExponent : kInvalid;
    default: return kInvalid;
  }
}

static u32 state_work(u32* seed) {
  static const char kAlphabet[] = "0123456789+-.e,,";
  for (int i = 0; i < kText; i++) text[i] = kAlphabet[next_random(seed) & 15];
  u32 count[kStates] = {0};
  enum State state = kStart;
  for (int i = 0; i < kText; i++) {
    if (text[i] == ',') {
      count[state]++;
      state = kStart;
    } else {
      state = step(state, text[i]);
    }
  }
  u32 crc = 0;
  for (int i = 0; i < kStates; i++) crc = crc16(crc, count[i]);
  return crc;
}

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 50000);
  u32 seed = 0x12345678;
  u32 sum = 0;
  for (u32 i = 0; i < rounds; i++) {
    sum = mix(sum, list_work(&seed));
    sum = mix(sum, matrix_work(&seed));
    sum = mix(sum, state_work(&seed));
  }
  print_checksum("integer", sum);
  return 0;
}
