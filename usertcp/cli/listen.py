"""``usertcp listen``: serve on a TUN."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import click
import trio

from usertcp import Stack, TcpStream
from usertcp.cli.capturing import capture_file
from usertcp.cli.common import StackOptions, say, stack_options
from usertcp.cli.running import run
from usertcp.cli.watched import watched_stack
from usertcp.observe.capture_file import CaptureFile
from usertcp.services.registry import SERVICES, Binding, BindingError, Serve, handler, parse_binding
from usertcp.stack.counters import NAMES


class BindingType(click.ParamType[Binding]):
    """PORT or PORT:SERVICE."""

    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Binding:
        if isinstance(value, Binding):
            return value
        try:
            return parse_binding(value)
        except BindingError as error:
            self.fail(str(error), param, ctx)


@click.command(
    epilog=f"Services: {', '.join(f'{each.name} ({each.port})' for each in SERVICES.values())}; any other port is http."
)
@click.argument("bindings", metavar="PORT[:SERVICE]...", type=BindingType(), nargs=-1, required=True)
@stack_options
def listen(bindings: tuple[Binding, ...], options: StackOptions) -> int:
    """Serve on a TUN until Ctrl-C or SIGTERM.  Needs root, or a TUN that was handed over.

    The ladder (--trace) or the events (--json) go to stdout, messages to stderr; so do the counters at
    the end.
    """
    check_ports(bindings)
    taken = "taken by --trace or --json" if options.trace or options.json else ""
    with capture_file(options.pcap, ring=options.pcap_ring, stdout=taken) as file:
        return run(partial(_listen, bindings, options, file))


def check_ports(bindings: tuple[Binding, ...]) -> None:
    """:raises click.UsageError: two services on one port."""
    ports = [binding.port for binding in bindings]
    for port in ports:
        if ports.count(port) > 1:
            raise click.UsageError(f"port {port} is given twice")


async def _listen(bindings: tuple[Binding, ...], options: StackOptions, file: CaptureFile | None) -> int:
    stack: Stack | None = None
    try:
        async with (
            watched_stack(options, file, sys.stdout) as stack,
            trio.open_nursery() as nursery,
        ):
            await serve_all(nursery, stack, bindings)
            _announce(stack, bindings, options)
    finally:
        if stack is not None:
            _tell(stack.stats())
    return 0


async def serve_all(
    nursery: trio.Nursery,
    stack: Stack,
    bindings: tuple[Binding, ...],
    adapt: Callable[[Serve], Callable[[TcpStream], Awaitable[None]]] | None = None,
) -> None:
    """Listen on every port, and serve in ``nursery`` from then on, with what ``adapt`` makes of the services."""
    for binding in bindings:
        listener = await stack.open_listener(binding.port)
        serve = handler(binding.service, stack.stats)
        nursery.start_soon(trio.serve_listeners, serve if adapt is None else adapt(serve), [listener])


def _announce(stack: Stack, bindings: tuple[Binding, ...], options: StackOptions) -> None:
    where = " and ".join(stack.addresses)
    what = ", ".join(f"{binding.port} ({binding.service.name})" for binding in bindings)
    say(f"usertcp: listening on {where}, TUN {options.tun}, port {what}; Ctrl-C ends")


#: What the TUN counts.
_DEVICE: Final = {
    "packets-received": "packets that the host sent us (a super-segment counts once)",
    "bytes-received": "bytes in them",
    "read-errors": "reads of the TUN that failed",
    "packets-sent": "packets that we sent the host (a super-segment counts once)",
    "bytes-sent": "bytes in them",
    "write-would-block": "times that the TUN was full",
    "send-drops": "packets of ours that the TUN lost",
    "offload-refused": "super-segments that the kernel refused",
    "queue-drops": "packets of the host that were lost in the TUN's full queue",
    "input-drops": "packets of ours that the host dropped",
}


def _tell(stats: Mapping[str, int]) -> None:
    """What was counted, with its meaning, on stderr; nothing of what never happened."""
    counted = {name: count for name, count in stats.items() if count}
    if not counted:
        return
    width = max(map(len, counted))
    say("usertcp: counters")
    for name, count in counted.items():
        meaning = NAMES.get(name) or _DEVICE.get(name.removeprefix("device-"), "")
        say(f"  {name:{width}} {count:>15,}  {meaning}".rstrip())
