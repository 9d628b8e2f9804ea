#!/usr/bin/env bash
# Stamping line echo with tools: socat forks and starts one `ts` (moreutils, Perl) for each connection.
#   ./socat.sh PORT     (0 picks one)
export TZ=UTC STAMP='[%Y-%m-%dT%H:%M:%.SZ]'
# The format travels in a variable because a colon would end socat's address; -d -d makes it say on stderr what it got.
exec socat -d -d "TCP-LISTEN:${1:-0},bind=127.0.0.1,fork,reuseaddr,backlog=1000,nodelay" SYSTEM:'exec ts "$STAMP"' \
  2> >(exec sed -un 's|.*listening on AF=2 \(127.*\)|listening on tcp://\1|p')
