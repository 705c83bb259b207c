#!/bin/sh
# Writes the text before anything is measured.
. /bench/work.sh
checksum prepare < /tmp/text
