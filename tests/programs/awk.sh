#!/bin/sh
# busybox awk: words counted in an array, fields summed, strings cut and joined.
. /bench/work.sh
rounds=$(work 4 "$1")
i=0
while [ "$i" -lt "$rounds" ]; do
  head -c $((400000 + i)) /tmp/text | awk -F '[ ,]' '
    { for (k = 1; k < NF; k++) count[$k]++; total += $NF; if (length($1) > 6) long = long substr($1, 2, 1) }
    /contora|ver.*in/ { seen++ }
    END {
      for (word in count) { n++; if (count[word] > most) most = count[word] }
      printf "%d %d %d %d %d %s\n", NR, n, most, total, seen, substr(long, 1, 200)
    }'
  i=$((i + 1))
done | checksum awk
