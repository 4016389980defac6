"""A process that holds idle connections to a server, and reopens those that the server closes.

`python -m tests.acceptance.idle_connections PORT COUNT` prints a line once all connections were opened,
and ends when its standard input ends.
"""

import asyncio
import resource
import sys
from contextlib import suppress

INCOMPLETE_REQUEST = b"GET / HTTP/1.1\r\nX: "
RECONNECT_INTERVAL = 1.0  # seconds between losing a connection and opening another


async def hold(port: int, number: int, opened: asyncio.Semaphore) -> None:
    """Hold a connection, and reconnect when it is closed. If `number` is odd, send half a request."""
    is_first = True
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if number % 2:
                writer.write(INCOMPLETE_REQUEST)
            if is_first:
                opened.release()
                is_first = False
            await reader.read()
            writer.close()
        await asyncio.sleep(RECONNECT_INTERVAL)


async def main(port: int, count: int) -> None:
    """Hold `count` connections until standard input ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 200, hard), hard))
    opened = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(hold(port, n, opened)) for n in range(count)]
    for _ in tasks:
        await opened.acquire()
    print(f"{count} opened", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
