#!/bin/sh
# A shell at work, without starting programs: arithmetic, string surgery, patterns, functions.
. /bench/work.sh
rounds=$(work 45000 "$1")
sum=1
name=
f() { sum=$(((sum * 31 + $1) % 1000003)); }
i=0
while [ "$i" -lt "$rounds" ]; do
  name=item$i.txt
  f "${#name}"
  case ${name%.txt} in
    *0) f 10 ;;
    *[1-5]) f 15 ;;
    *) f 19 ;;
  esac
  i=$((i + 1))
done
printf 'shell_loop checksum %08x\n' "$sum"
