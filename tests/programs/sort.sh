#!/bin/sh
# busybox sort: by the whole line, by the number at its end, and without repetitions.
. /bench/work.sh
rounds=$(work 6 "$1")
i=0
while [ "$i" -lt "$rounds" ]; do
  head -c $((600000 + i)) /tmp/text | sort | md5sum
  head -c $((300000 + i)) /tmp/text | sed 's/.* //' | sort -n | uniq -c | md5sum
  head -c $((300000 + i)) /tmp/text | tr ' ,' '\n\n' | sort -u | md5sum
  i=$((i + 1))
done | checksum sort
