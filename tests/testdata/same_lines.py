"""Compares a file with the replies to it: each line of the second, without its stamp, is the line of the first."""

import re
import sys

stamp = re.compile(rb"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\] ")
lines = 0
with open(sys.argv[1], "rb") as sent, open(sys.argv[2], "rb") as answered:
    for line in sent:
        reply = answered.readline()
        found = stamp.match(reply)
        if not found or reply[found.end():] != line.rstrip(b"\n") + b"\n":
            sys.exit(f"line {lines + 1} differs: {line[:60]!r} was answered by {reply[:90]!r}")
        lines += 1
    if answered.read(1):
        sys.exit(f"there are more replies than the {lines} lines")
print(lines)
