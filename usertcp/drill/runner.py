"""From a script's text to its outcome, over our own stack in virtual time.

Nothing gets out of here but an :class:`~usertcp.drill.outcome.Outcome`: a mistake of the interpreter or of the stack
fails the script that found it, and says so.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from usertcp.drill import predefined
from usertcp.drill.errors import ScriptError, Unsupported
from usertcp.drill.ignore import Ignore
from usertcp.drill.options import Options
from usertcp.drill.outcome import Crossing, Outcome, Result
from usertcp.drill.parser import parse
from usertcp.drill.patience import at_most
from usertcp.drill.profiles import Profile, profile
from usertcp.drill.run import PATIENCE, Run, Strictness
from usertcp.drill.script import Script
from usertcp.drill.shell import Action
from usertcp.drill.system import System, changes
from usertcp.drill.virtual import EPOCH, VirtualTarget
from usertcp.observe.annotation import Annotator
from usertcp.observe.escape import for_terminal
from usertcp.observe.packet_log import PacketLog
from usertcp.runtime.fanout import Fanout
from usertcp.sim.posix import Machine
from usertcp.stack.host import Host, HostConfig
from usertcp.stack.path_mtu import PathMtuCache
from usertcp.stack.ratelimit import RateLimiter
from usertcp.tcp.events import Sink

#: A script is text of a few hundred lines.
MOST_BYTES: Final = 4 << 20
_SECRET: Final = bytes(range(32))


@dataclass(frozen=True, slots=True)
class How:
    """How scripts are run."""

    profile: str = "usertcp"
    ignore: frozenset[Ignore] = frozenset()
    #: packetdrill's own options, as (name, value); the script's come before and give way to these.
    options: Sequence[tuple[str, str]] = ()
    #: Words of the script and what they stand for.
    defines: dict[str, str] = field(default_factory=dict)
    #: A packet after the last expectation is a failure.
    strict_end: bool = False
    #: In real seconds, for one script.
    patience: float = PATIENCE
    #: Packets get comments: what the stack does with them, and why.
    annotate: bool = False


def run_file(path: str, how: How, trace: Sink | None = None) -> Outcome:
    """Run the script in the file ``path``; ``trace`` gets the stack's events."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Outcome(path, Result.FAILED, f"the file cannot be read: {for_terminal(reason)}")
    if len(data) > MOST_BYTES:
        return Outcome(path, Result.UNSUPPORTED, f"the file has more than {MOST_BYTES} bytes")
    return run_text(data.decode("utf-8", "surrogateescape"), path, how, trace)


def run_text(text: str, path: str, how: How, trace: Sink | None = None) -> Outcome:
    """Run the script ``text``; ``path`` is what messages call it."""
    try:
        with at_most(max(2 * how.patience, 0.1)):
            return _run(text, path, how, trace)
    except Unsupported as missing:
        return Outcome(path, Result.UNSUPPORTED, for_terminal(missing.reason), missing.line)
    except ScriptError as error:
        return Outcome(path, Result.FAILED, f"no script: {for_terminal(error.reason)}", error.line)
    except Exception as error:
        return internal_error(path, error)


def internal_error(path: str, error: BaseException, line: int = 0) -> Outcome:
    """What is to be said of a script that an exception of ours ended."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" at {Path(last[0].filename).name}:{last[0].lineno}" if last else ""
    reason = f"internal error: {type(error).__name__}{where}: {for_terminal(str(error)[:200])}"
    detail = for_terminal_lines("".join(traceback.format_exception(error, limit=-3)))
    return Outcome(path, Result.FAILED, reason, line, detail)


def for_terminal_lines(text: str) -> str:
    """Several lines, each made safe."""
    return "\n".join(map(for_terminal, text.splitlines()))


def _run(text: str, path: str, how: How, trace: Sink | None) -> Outcome:
    chosen = profile(how.profile)
    script, options = _parsed(text, path, how)
    log = PacketLog() if how.annotate else None
    target = virtual_target(chosen, options, trace, log)
    run = Run(
        script,
        text,
        target,
        options,
        chosen,
        Strictness(how.ignore, how.strict_end),
        rehearse=_Rehearsal(chosen).apply,
        patience=how.patience,
    )
    try:
        return run.run()
    except Exception as error:
        outcome = internal_error(path, error, run.line)
        outcome.crossings = run.outcome.crossings
        return outcome
    finally:
        target.close()
        if log is not None:
            run.outcome.crossings[:] = _annotated(run.outcome.crossings, log)


def _annotated(crossings: list[Crossing], log: PacketLog) -> Iterator[Crossing]:
    """``crossings`` with what ``log`` tells of them; it has the same packets in the same order, and maybe more."""
    annotator = Annotator(offload=False)
    told = deque(chain(annotator.feed(log.take(len(log))), annotator.end()))
    for crossing in crossings:
        while told and told[0].packet != crossing.packet:
            told.popleft()
        yield crossing._replace(comments=tuple(told.popleft().comments)) if told else crossing


def _parsed(text: str, path: str, how: How) -> tuple[Script, Options]:
    """The script, and how it is to be run; its words are replaced by what is predefined for that, where it is."""
    options = Options().with_pairs(how.options)
    known = predefined.words(how.profile, options)
    script = parse(text, path, known | how.defines)
    options = Options().with_pairs([*script.options, *how.options])
    wanted = {
        name: value for name, value in predefined.words(how.profile, options).items() if name not in options.defines
    }
    if wanted != known and any(word in text for word in known):
        script = parse(text, path, wanted | how.defines)
    return script, options


def virtual_target(
    chosen: Profile, options: Options, trace: Sink | None = None, log: PacketLog | None = None
) -> VirtualTarget:
    """Our stack as ``chosen`` has it, on a link as ``options`` have it; ``log`` gets its packets and its events."""
    system = System.of(chosen)
    host = Host(
        [options.local_address], secret=_SECRET, mtu=options.link_mtu, offload=True, config=system.host, trace=trace
    )
    if log is not None:
        log.host = host
        Fanout(host).attach(log)
    machine = Machine(host, now=EPOCH, personality=chosen.personality, config=system.sockets, whole=system.offload)
    return VirtualTarget(machine, _Administrator(machine, system).apply, log)


class _Rehearsal:
    """A system that nobody uses, to see whether it can be changed so."""

    def __init__(self, chosen: Profile) -> None:
        self._system = System.of(chosen)

    def apply(self, action: Action) -> None:
        """Raises NotPossible."""
        self._system = self._system.apply(action)


class _Administrator:
    """Changes a machine's system while it runs."""

    def __init__(self, machine: Machine, system: System) -> None:
        self._machine = machine
        self._system = system

    def apply(self, action: Action) -> None:
        """Raises NotPossible."""
        old, new = self._system, self._system.apply(action)
        self._system = new
        machine, host = self._machine, self._machine.host
        host.config = new.host
        machine.config = new.sockets
        machine.whole = new.offload
        if new.mtu is not None and new.mtu != old.mtu:
            host.mtu = new.mtu
            host.path_mtus = PathMtuCache(new.mtu)
        self._limit(host, old.host, new.host)
        changed: dict[str, Any] = changes(old, new)
        if changed:
            for connection in host.connections.values():
                connection.settings = replace(connection.settings, **changed)
        machine.settings_changed()

    @staticmethod
    def _limit(host: Host, old: HostConfig, new: HostConfig) -> None:
        """A limiter has its rate for life."""
        if (old.reset_rate, old.reset_burst) != (new.reset_rate, new.reset_burst):
            host.resets = RateLimiter(new.reset_rate, new.reset_burst)
        if (old.icmp_rate, old.icmp_burst) != (new.icmp_rate, new.icmp_burst):
            host.icmp = RateLimiter(new.icmp_rate, new.icmp_burst)
