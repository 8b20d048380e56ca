"""The options that the verbs share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields, replace
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final

import click

import usertcp
from usertcp import HostConfig, PacketDevice, Settings, Stack
from usertcp.cli.event_file import EventFile, event_file
from usertcp.cli.impair import KEYS, ImpairError, Path
from usertcp.cli.impair import parse as parse_impair
from usertcp.cli.picture_file import picture_file
from usertcp.cli.plotting import plotted
from usertcp.cli.pumping import watch
from usertcp.cli.telling import TELLING_OPTIONS
from usertcp.control.server import Kept, controlled
from usertcp.observe.capture_file import LEAST_RING
from usertcp.observe.ladder_forms import drawing, form_of
from usertcp.observe.narrator import Telling
from usertcp.observe.recorder import Recorder
from usertcp.runtime.impaired import ImpairedDevice
from usertcp.runtime.interface import parse_address
from usertcp.runtime.kernel_view import KernelViewDevice
from usertcp.runtime.stack import DEFAULT_ADDRESSES, DEFAULT_GRACE, DEFAULT_MTU, DEFAULT_TUN
from usertcp.runtime.tapped import TappedDevice
from usertcp.tcp.congestion.registry import NAMES as CONTROLLERS
from usertcp.tcp.events import Sink

if TYPE_CHECKING:
    from usertcp.cli.capturing import Capture

#: RFC 791 §3.1: what every IPv4 host must accept; less is of no use. RFC 8200 §5: IPv6's least.
_MIN_MTU: Final = 576
_MIN_MTU_IPV6: Final = 1280
_MAX_MTU: Final = 65535


@dataclass(frozen=True)
class StackOptions:
    """What the user asked of the stack, and how it is to be watched."""

    addresses: tuple[str, ...] = DEFAULT_ADDRESSES
    tun: str = DEFAULT_TUN
    mtu: int = DEFAULT_MTU
    offload: bool = True
    trace: bool = False
    json: bool = False
    absolute: bool = False
    verbose: bool = False
    unfold: bool = False
    impair: Path | None = None
    congestion: str = CONTROLLERS[0]
    #: Takes every trace event.
    events: EventFile | None = None
    #: Keeps the events of which ladders and a plot are drawn at the end.
    pictures: Recorder | None = None
    pcap: str | None = None
    #: What the capture may take on disk, in bytes.
    pcap_ring: int | None = None

    @property
    def telling(self) -> Telling:
        """What the ladder tells."""
        return Telling(self.absolute, self.verbose, self.unfold)

    def __post_init__(self) -> None:
        if self.mtu < _MIN_MTU_IPV6 and any(":" in address for address in self.addresses):
            raise click.BadOptionUsage(
                "mtu",
                f"IPv6 needs an MTU of at least {_MIN_MTU_IPV6}: give IPv4 alone, as --address {DEFAULT_ADDRESSES[0]}",
            )
        if self.pcap_ring is not None and self.pcap is None:
            raise click.BadOptionUsage("pcap-ring", "--pcap-ring bounds the file of --pcap FILE: give that, too")


class _Cidr(click.ParamType[str]):
    name = "cidr"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(parse_address(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Impair(click.ParamType[str]):
    name = "impair"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parse_impair([value])
        except ImpairError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class _Size(click.ParamType[int]):
    """Bytes, as 100M."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        digits, unit = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
        if unit not in _UNITS or not digits.isascii() or not digits.isdigit() or len(digits) > 15:
            self.fail(f"{text!r} is not a size such as 100M", param, ctx)
        size = int(digits) << _UNITS[unit]
        if size < LEAST_RING:
            self.fail(f"{text} is too small: give 1M or more", param, ctx)
        return size


_UNITS: Final = {"": 0, "K": 10, "M": 20, "G": 30}


def _whole_path(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> Path | None:
    return parse_impair(value)


_OPTIONS: Final = (
    click.option(
        "--address",
        "addresses",
        type=_Cidr(),
        multiple=True,
        metavar="CIDR",
        help="The stack's own address and prefix, as 192.0.2.2/24; the host gets the prefix's first other "
        f"address.  Repeatable; any replaces {' and '.join(DEFAULT_ADDRESSES)}.",
    ),
    click.option("--tun", default=StackOptions.tun, show_default=True, metavar="NAME", help="The interface."),
    click.option(
        "--mtu",
        type=click.IntRange(_MIN_MTU, _MAX_MTU),
        default=StackOptions.mtu,
        show_default=True,
        help="The largest IP packet, in bytes.",
    ),
    click.option(
        "--offload/--no-offload",
        default=True,
        help="Whether the kernel may hand over and take super-segments of 64 KB (it does by default).",
    ),
    click.option("--trace", is_flag=True, help="Print the ladder live."),
    click.option("--json", is_flag=True, help="Print each event as a line of JSON instead of the ladder."),
    click.option(
        "--impair",
        type=_Impair(),
        callback=_whole_path,
        multiple=True,
        metavar="[in:|out:]KEY=VALUE,...",
        help=f"Make the path bad, in one direction (seen from us) or both: {KEYS}.  Repeatable.",
    ),
    click.option(
        "--congestion",
        type=click.Choice(CONTROLLERS),
        default=CONTROLLERS[0],
        show_default=True,
        help="Who decides how much may be in the network.",
    ),
    click.option(
        "--events",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Write each event to FILE as a line of JSON, whatever else is shown.",
    ),
    click.option(
        "--ladder",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Draw the ladders into FILE at the end: as text, or what .svg or .mmd (mermaid) says.",
    ),
    click.option(
        "--plot",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Plot the connection that carried most over time into FILE at the end: as text, or as SVG (.svg).",
    ),
    click.option(
        "--pcap",
        metavar="FILE",
        type=click.Path(dir_okay=False, allow_dash=True),
        help="Write all packets as pcapng, with comments on what each did and why; - is stdout (listen).",
    ),
    click.option(
        "--pcap-ring",
        metavar="SIZE",
        type=_Size(),
        help="Keep only the newest packets, in FILE and FILE.1, which together never take more, as 100M.",
    ),
    *TELLING_OPTIONS,
)
#: Fields that are not as the user gave them, but opened.
_OPENED: Final = ("events", "pictures")
_NAMES: Final = tuple(field.name for field in fields(StackOptions) if field.name not in _OPENED)


def stack_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the shared options to ``command``, which gets them as one ``options: StackOptions``."""

    def wrapper(**arguments: Any) -> Any:
        given = {name: arguments.pop(name) for name in _NAMES}
        given["addresses"] = tuple(dict.fromkeys(given["addresses"])) or DEFAULT_ADDRESSES
        options = StackOptions(**given)
        events, ladder, plot = (arguments.pop(name) for name in ("events", "ladder", "plot"))
        with (
            event_file(events) as every_event,
            picture_file(ladder, lambda seen: drawing(seen, form_of(ladder), telling=options.telling)) as for_ladder,
            picture_file(plot, lambda seen: plotted(seen, plot), for_ladder) as pictures,
        ):
            return command(options=replace(options, events=every_event, pictures=pictures), **arguments)

    update_wrapper(wrapper, command)
    for option in reversed(_OPTIONS):
        option(wrapper)
    return wrapper


@asynccontextmanager
async def open_stack(
    options: StackOptions,
    trace: Sink | None,
    *,
    grace: float = DEFAULT_GRACE,
    capture: Capture | None = None,
    wrap: Callable[[PacketDevice], PacketDevice] | None = None,
    kept: Kept | None = None,
    threads: bool = True,
) -> AsyncIterator[Stack]:
    """:func:`usertcp.open_stack` as ``options`` say, and its packets into ``capture``; its warnings go to stderr.

    ``wrap`` puts something next to the TUN, where both ends' packets pass.  Others may look into the stack over its
    control socket, whose path goes to stderr too; ``kept`` gives them the trace events of the past.
    ``threads`` is False where the process may have none.
    """
    between = _Between(options, capture, wrap)
    opening = usertcp.open_stack(
        addresses=options.addresses,
        tun=options.tun,
        mtu=options.mtu,
        offload=options.offload,
        trace=trace,
        grace=grace,
        wrap=between,
        config=HostConfig(settings=Settings(congestion_control=options.congestion)),
    )
    program = click.get_current_context().info_name or "usertcp"
    async with (
        watch(options.events, threads=threads, purpose="for the file of events") as written,
        controlled(opening, name=options.tun, program=program, kept=kept, say=say) as stack,
    ):
        if written is not None:
            stack.attach(written)
        if options.pictures is not None:
            stack.attach(options.pictures)
        for warning in stack.warnings:
            say(f"usertcp: {warning}")
        if between.view is not None:
            between.view.tell(stack.host)
        if capture is not None:
            capture.attach(stack)
        yield stack


class _Between:
    """What stands between the TUN and the stack: who asks the kernel, then the bad path, then who captures."""

    def __init__(
        self, options: StackOptions, capture: Capture | None, wrap: Callable[[PacketDevice], PacketDevice] | None
    ) -> None:
        self._path = options.impair
        self._wrap = wrap
        self._log = None if capture is None else capture.log
        self.view: KernelViewDevice | None = None

    def __call__(self, device: PacketDevice) -> PacketDevice:
        with suppress(OSError):  # a kernel that cannot be asked: its states are inferred, and said to be
            device = self.view = KernelViewDevice(device)
        if self._wrap is not None:
            device = self._wrap(device)
        path = self._path
        if path is not None:
            device = ImpairedDevice(device, path.inbound, path.outbound, seed=path.seed, watcher=self._log)
        if self._log is not None:
            device = TappedDevice(device, self._log)
        return device


def say(message: str) -> None:
    """A message for a person, on stderr."""
    click.echo(message, err=True)
