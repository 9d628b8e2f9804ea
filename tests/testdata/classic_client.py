"""A client in the style of the classic books: sends without LF, takes what one recv delivers for the reply."""

import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
client = socket.socket(family, socket.SOCK_STREAM)
client.connect((host, port))
for line in sys.stdin:
    data = line.rstrip("\n")
    if not data:
        break
    client.send(data.encode())
    reply = client.recv(1024)
    if not reply:
        break
    print(reply.decode(), flush=True)
client.close()
