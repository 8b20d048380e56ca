"""A trio program, which knows nothing of usertcp."""

import trio


async def hello(stream: trio.SocketStream) -> None:
    async with stream:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.0 200 OK\r\n\r\nHello from trio\n")


trio.run(trio.serve_tcp, hello, 8000)
