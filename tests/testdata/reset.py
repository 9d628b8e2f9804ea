"""Connects COUNT times and resets each connection (a close with a linger of 0): at once, or after TEXT was sent and
the reply to its first line has come."""

import socket
import struct
import sys

port, count = int(sys.argv[1]), int(sys.argv[2])
text = sys.argv[3].encode() if len(sys.argv) > 3 else b""
for _ in range(count):
    peer = socket.create_connection(("127.0.0.1", port))
    if text:
        peer.sendall(text)
        peer.recv(1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
