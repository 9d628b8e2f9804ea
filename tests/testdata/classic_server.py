"""A server in the style of the classic books: one client at a time, whatever recv delivers is a message."""

import socket
import sys
import time

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("127.0.0.1", 0))
server.listen(5)
print(server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    while True:
        data = client.recv(1024)
        if not data or data == b"hang up":
            break
        client.send(b"[" + time.ctime().encode() + b"] " + data)
    client.close()
    if len(sys.argv) > 1 and sys.argv[1] == "once":
        break
