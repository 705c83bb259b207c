#!/bin/sh
# A shell at work: arithmetic, string surgery, functions, and a program started now and then.
rounds=${1:-6000}
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
  [ $((i % 100)) -eq 0 ] && f "$(/bin/busybox expr "$i" + 1)"
  i=$((i + 1))
done
printf 'shell_loop checksum %08x\n' "$sum"
