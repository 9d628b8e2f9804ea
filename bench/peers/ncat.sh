#!/usr/bin/env bash
# Stamping line echo with tools: ncat starts one `ts` (moreutils, Perl) for each connection.
#   ./ncat.sh PORT      (0 picks one: ncat itself would not say which it got)
port=${1:-0}
if [[ $port == 0 ]]; then port=$(shuf -i 20000-32000 -n 1); fi
export TZ=UTC STAMP='[%Y-%m-%dT%H:%M:%.SZ]'
# `ts` writes a line in two parts, and ncat leaves Nagle's algorithm on: the second part often waits 40 ms for the
# acknowledgement of the first. That is what people get; there is no option against it.
# ncat says on stderr when it listens; --listen with --keep-open serves 100 connections at most unless told otherwise.
exec ncat --verbose --listen --keep-open --max-conns 1000 127.0.0.1 "$port" --sh-exec 'exec ts "$STAMP"' \
  2> >(exec sed -un 's|.*Listening on \(127.*\)|listening on tcp://\1|p')
