#!/bin/sh
# Debian's perl with a script whose time is spread over all of the interpreter.
. /bench/work.sh
/usr/bin/perl /bench/source/perl.pl "$(work 40 "$1")"
