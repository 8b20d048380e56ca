"""``usertcp connect``: netcat over our own TCP."""

from __future__ import annotations

import os
import sys
from functools import partial
from ipaddress import ip_interface
from typing import Any, Final

import click
import trio

from usertcp.cli.capturing import capture_file
from usertcp.cli.common import StackOptions, stack_options
from usertcp.cli.ending import Failure
from usertcp.cli.running import run
from usertcp.cli.watched import watched_stack
from usertcp.observe.capture_file import CaptureFile
from usertcp.services.registry import BindingError, parse_port
from usertcp.stack.errors import InvalidRemoteAddress, NotOurAddress
from usertcp.tcp.errors import TcpError

_STDIN: Final = 0
_STDOUT: Final = 1
_CHUNK: Final = 256 * 1024


class _Port(click.ParamType[int]):
    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return parse_port(str(value))
        except BindingError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("host")
@click.argument("port", type=_Port())
@stack_options
def connect(host: str, port: int, options: StackOptions) -> int:
    """Connect to HOST PORT from our stack: stdin is sent, what comes back goes to stdout.

    The end of stdin closes our side only (a half-close); what still comes is received to its end.  On a
    terminal it is over as soon as the peer closes its side.  The ladder (--trace) or the events (--json)
    go to stderr.
    """
    with capture_file(options.pcap, ring=options.pcap_ring, stdout="for what the peer sends") as file:
        return run(partial(_connect, host, port, options, file))


async def _connect(host: str, port: int, options: StackOptions, file: CaptureFile | None) -> int:
    address = await _resolve(host, options)
    async with watched_stack(options, file, sys.stderr) as stack:
        try:
            stream = await stack.open_stream(address, port)
        except (TcpError, InvalidRemoteAddress, NotOurAddress) as error:
            raise Failure(f"cannot connect to {host} port {port}: {_reason(error)}") from error
        async with stream:
            try:
                await _converse(stream)
            except trio.BrokenResourceError as error:
                raise Failure(f"the connection to {host} port {port} broke: {_reason(error)}") from error
    return 0


async def _resolve(host: str, options: StackOptions) -> str:
    """The first address of ``host`` in a family in which the stack has one."""
    versions = {ip_interface(address).version for address in options.addresses}
    families = {
        family
        for version, family in ((4, trio.socket.AF_INET), (6, trio.socket.AF_INET6))
        if version in versions
    }
    try:
        found = await trio.socket.getaddrinfo(host, None, type=trio.socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Failure(f"{host!r} is neither an address nor a name that is known: {_reason(error)}") from error
    for family, *_, address in found:
        if family in families:
            return str(address[0])
    raise Failure(f"{host!r} has no address of a family that the stack has: see --address")


def _reason(error: BaseException) -> str:
    """What happened on the wire, where the cause says it."""
    cause = error.__cause__
    if isinstance(cause, TcpError):
        return str(cause)
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


async def _converse(stream: trio.abc.HalfCloseableStream) -> None:
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send_stdin, stream)
            await _receive_to_stdout(stream)
            if sys.stdin is not None and sys.stdin.isatty():
                nursery.cancel_scope.cancel()
    except* trio.BrokenResourceError as broken:
        # Both directions break together; either tells why.
        error: BaseException = broken
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from error.__cause__


# Threads, since standard streams can be files, which no poller takes, and since making them non-blocking
# would make them so for everybody who shares them, the user's shell included.


async def _send_stdin(stream: trio.abc.HalfCloseableStream) -> None:
    while data := await trio.to_thread.run_sync(os.read, _STDIN, _CHUNK, abandon_on_cancel=True):
        await stream.send_all(data)
    await stream.send_eof()


async def _receive_to_stdout(stream: trio.abc.HalfCloseableStream) -> None:
    while data := await stream.receive_some():
        await trio.to_thread.run_sync(_write_all, bytes(data), abandon_on_cancel=True)


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(_STDOUT, view) :]
