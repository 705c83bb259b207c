#!/bin/sh
# Debian's C compiler proper over the bench's own sources.
. /bench/work.sh
cc1=$(echo /usr/lib/gcc/*/12/cc1)
for name in integer indirect sse_packed x87 locks start interp_switch arith64; do
  [ -f /bench/source/$name.c ] || continue
  "$cc1" -quiet -O2 -std=gnu11 -ffreestanding -msse2 -I /bench/source /bench/source/$name.c -o - || echo "$name failed"
done | checksum cc1
