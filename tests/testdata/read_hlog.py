"""Reads an HDR interval log without HdrHistogram: for each tag its count and its largest value in ns, as JSON."""

import base64
import json
import struct
import sys
import zlib


def numbers(payload):
    """ZigZag LEB128 numbers of 64 bits, of which the ninth byte has eight."""
    at = 0
    while at < len(payload):
        value = shift = 0
        for place in range(9):
            byte = payload[at]
            at += 1
            value |= (byte if place == 8 else byte & 127) << shift
            shift += 7
            if place == 8 or byte < 128:
                break
        yield value >> 1 ^ -(value & 1)


def read(text):
    """The count of all values, and the largest, of a histogram of three digits that begins at 1."""
    outer = base64.b64decode(text)
    cookie, length = struct.unpack(">ii", outer[:8])
    assert cookie & ~0xF0 == 0x1C849304, hex(cookie)
    inner = zlib.decompress(outer[8:8 + length])
    cookie, length, _, digits, lowest, _, _ = struct.unpack(">iiiiqqd", inner[:40])
    assert (cookie & ~0xF0, digits, lowest) == (0x1C849303, 3, 1), (hex(cookie), digits, lowest)
    index = count = largest = 0
    for number in numbers(inner[40:40 + length]):
        if number < 0:
            index -= number
            continue
        count += number
        if number > 0:
            # 2048 values in the first bucket, then 1024 in each, of twice the width.
            bucket = max(0, (index >> 10) - 1)
            largest = ((index - bucket * 1024 + 1) << bucket) - 1
        index += 1
    return count, largest


totals = {}
with open(sys.argv[1]) as log:
    for line in log:
        if line.startswith("Tag="):
            tag, _, _, _, text = line.strip().split(",")
            count, largest = read(text)
            total = totals.setdefault(tag[4:], [0, 0])
            total[0] += count
            total[1] = max(total[1], largest)
print(json.dumps(totals))
