"""A TLS server (CERT, KEY) that answers the first line as tsecho does, and goes without TLS's own end of the stream."""

import socket
import ssl
import sys

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
client = context.wrap_socket(server.accept()[0], server_side=True)
client.sendall(b"[2026-11-23T03:37:00.123456Z] " + client.recv(65536))
bare = socket.socket(fileno=client.detach())
bare.shutdown(socket.SHUT_WR)
while bare.recv(65536):  # a close with bytes unread would be a reset
    pass
