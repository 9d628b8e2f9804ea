"""Connects COUNT times to 127.0.0.1 PORT, sends a part of a TLS ClientHello, and goes: every other time with a reset."""

import socket
import ssl
import struct
import sys

port, count = int(sys.argv[1]), int(sys.argv[2])
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
try:
    client.do_handshake()
except ssl.SSLWantReadError:
    pass
hello = outgoing.read()
for number in range(count):
    peer = socket.create_connection(("127.0.0.1", port))
    # A part of it, or all: then the server has answered, and waits for the client's turn.
    peer.sendall(hello[:1 + number * 37 % len(hello)])
    if number % 5 == 0:
        peer.sendall(hello[1 + number * 37 % len(hello):])
    if number % 2 == 0:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
