"""``usertcp drill``: packetdrill scripts against our stack, in virtual time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import click

from usertcp.cli.capturing import capture_file
from usertcp.cli.ending import FAILURE
from usertcp.drill import batch, options, profiles, report
from usertcp.drill.capture import Capture
from usertcp.drill.errors import Unsupported
from usertcp.drill.ignore import Ignore, UnknownIgnore
from usertcp.drill.ignore import parse as parse_ignore
from usertcp.drill.outcome import Outcome, Result
from usertcp.drill.runner import How, run_file
from usertcp.observe.ladder import ladders
from usertcp.observe.printer import Printer
from usertcp.observe.recorder import Recorder

#: Nothing failed, and something could not be run.
UNSUPPORTED: Final = 3

_PREFIX: Final = "packetdrill_"
#: packetdrill's options that are worth a line of help; the others are taken, too.
_SHOWN: Final = {
    "ip_version": "ipv4, ipv6 or ipv4-mapped-ipv6.",
    "mtu": "The largest IP packet in bytes.",
    "local_ip": "Our address.",
    "remote_ip": "The peer's address.",
    "bind_port": "The port of bind(..., ...).",
    "connect_port": "The port of connect(..., ...).",
    "tolerance_usecs": "By how much packets and returning calls may be early or late.",
    "tcp_ts_tick_usecs": "Compare outbound timestamps; a unit is so long.",
    "strict_segments": "An expected segment must be one packet.",
}


def _check_ignore(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> frozenset[Ignore]:
    try:
        return parse_ignore(value)
    except UnknownIgnore as error:
        raise click.BadParameter(str(error), ctx, param) from None


def _check_defines(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in value]
    for name, equals, _ in pairs:
        if not equals or not name.isidentifier():
            raise click.BadParameter("NAME=VALUE, please", ctx, param)
    return {name: text for name, _, text in pairs}


def _packetdrill_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """packetdrill's own options by their own names."""
    for name in [*sorted(set(options.NAMES) - set(_SHOWN) - {"define"}), *reversed(_SHOWN)]:
        flag = name in options.FLAGS
        command = click.option(
            f"--{name}",
            _PREFIX + name,
            is_flag=flag,
            metavar=None if flag else "VALUE",
            hidden=name not in _SHOWN,
            help=_SHOWN.get(name),
        )(command)
    return command


def _pairs(given: dict[str, str | bool | None]) -> list[tuple[str, str]]:
    """packetdrill's options that were given, as a script would have them."""
    pairs = [(name.removeprefix(_PREFIX), value) for name, value in given.items() if value]
    return [(name, value if isinstance(value, str) else "") for name, value in pairs]


@click.command(context_settings={"max_content_width": 100})
@click.argument("paths", metavar="FILE.pkt|DIR...", nargs=-1, required=True)
@click.option(
    "--profile",
    type=click.Choice(profiles.NAMES),
    default="usertcp",
    show_default=True,
    help="Whose defaults and variables the stack has: what the scripts were written for.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="NAME,...",
    callback=_check_ignore,
    help=f"Relax exactly this: {', '.join(member.value for member in Ignore)}.  Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each script, and no summary.")
@click.option("--ladder", is_flag=True, help="Draw what happened in each script.")
@click.option(
    "--pcap", metavar="FILE", type=click.Path(dir_okay=False), help="Write all packets, with comments, as pcapng."
)
@click.option("--strict-end", is_flag=True, help="A packet after the last expectation is a failure, too.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes; one for each CPU by default.")
@click.option("-v", "--list", "list_all", is_flag=True, help="Name the scripts that passed, too.")
@click.option(
    "-D",
    "--define",
    "defines",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_check_defines,
    help="What a word in the scripts stands for.  Repeatable.",
)
@_packetdrill_options
@click.pass_context
def drill(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    profile: str,
    ignore: frozenset[Ignore],
    as_json: bool,
    ladder: bool,
    pcap: str | None,
    strict_end: bool,
    jobs: int | None,
    list_all: bool,
    defines: dict[str, str],
    **packetdrill: Any,
) -> int:
    """Run packetdrill scripts against our stack, in virtual time.

    A directory stands for all .pkt files below it.  packetdrill's own options are taken too, and win over what a
    script says.  The status is 0 if all passed, 1 if one failed, 2 for bad usage, and 3 if none failed but
    one could not be run because it wants something that is not there.
    """
    how = How(profile, ignore, _pairs(packetdrill), defines, strict_end, annotate=pcap is not None)
    try:
        options.Options().with_pairs(how.options)
        scripts = batch.find(paths)
    except Unsupported as error:
        raise click.UsageError(f"not possible: {error.reason}", ctx) from None
    except batch.NoScripts as error:
        raise click.UsageError(str(error), ctx) from None
    with ExitStack() as stack:
        file = stack.enter_context(capture_file(pcap, stdout="for the results"))
        capture = None if file is None else Capture(file)
        outcomes = _watched(scripts, how) if ladder else batch.run_all(scripts, how, 1 if pcap else jobs)
        summary = report.Summary()
        for outcome in outcomes:
            summary.add(outcome)
            if capture is not None:
                capture.add(outcome)
            if as_json:
                click.echo(report.to_line(outcome, ignore))
            elif list_all or outcome.result is not Result.PASSED or outcome.printed or len(scripts) == 1:
                click.echo("\n".join(report.to_text(outcome)))
    if not as_json:
        click.echo("\n".join(summary.lines(ignore, profile)))
    return _status(summary)


def _watched(scripts: list[str], how: How) -> Iterator[Outcome]:
    """Each script's outcome, and before it what happened; to stderr, where it is in no program's way."""
    for script in scripts:
        recorder = Recorder()
        outcome = run_file(script, how, recorder)
        printer = Printer(sys.stderr)
        printer.print(ladders(recorder.events(), width=printer.width))
        yield outcome


def _status(summary: report.Summary) -> int:
    if summary.counts[Result.FAILED]:
        return FAILURE
    return UNSUPPORTED if summary.counts[Result.UNSUPPORTED] else 0
