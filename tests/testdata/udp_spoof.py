"""Sends TEXT from 127.0.0.1 SOURCE_PORT to 127.0.0.1 PORT, whoever holds the source port. Needs the right to raw sockets."""

import socket
import struct
import sys

source_port, port, text = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
address = socket.inet_aton("127.0.0.1")
udp = struct.pack("!HHHH", source_port, port, 8 + len(text), 0) + text  # a checksum of 0 is none
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, address, address)
try:
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
except PermissionError:
    print("no right to raw sockets")
    sys.exit()
raw.sendto(ip + udp, ("127.0.0.1", port))
print("sent")
