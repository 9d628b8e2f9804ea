"""A timestamp server that answers each line after so many milliseconds, whatever else is waiting."""

import asyncio
import datetime
import sys

DELAY = float(sys.argv[1]) / 1000


async def serve(reader, writer):
    loop = asyncio.get_running_loop()

    def answer(line):
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if not writer.is_closing():
            writer.write(b"[" + stamp.encode() + b"] " + line)

    try:
        while line := await reader.readline():
            loop.call_later(DELAY, answer, line)
        await asyncio.sleep(DELAY)
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"listening on tcp://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


asyncio.run(main())
