"""Sends COUNT datagrams to HOST PORT, each after the reply to the one before, and says how many came back and how fast."""

import socket
import sys
import time

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
client.connect((host, port))
client.settimeout(5)
answered = 0
start = time.monotonic()
for number in range(count):
    payload = b"datagram %d" % number
    client.send(payload)
    try:
        answered += client.recv(65536).endswith(b"] " + payload)
    except TimeoutError:
        pass
print(f"{answered} of {count} answered in {time.monotonic() - start:.1f} s")
