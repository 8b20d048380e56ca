"""Runs a script against a target: its events in their order, each at its time.

Whatever a script wants is done or refused; nothing of it is skipped.  The first thing that is not as the script
says ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import EINPROGRESS
from math import inf
from time import monotonic
from typing import Final

from usertcp.drill import info, shell, syscalls
from usertcp.drill.arguments import Context
from usertcp.drill.checking import MOST_TIME, Checked, too_long
from usertcp.drill.code import AssertionFailed, Code
from usertcp.drill.descriptors import Descriptors
from usertcp.drill.errors import ScriptError, Unsupported
from usertcp.drill.flows import Flows
from usertcp.drill.ignore import Ignore
from usertcp.drill.options import Options
from usertcp.drill.outbound import Match, Outbound
from usertcp.drill.outcome import Crossing, Outcome, Result
from usertcp.drill.packets import Unbuildable, build, describe, diff
from usertcp.drill.plan import Plan
from usertcp.drill.profiles import Profile
from usertcp.drill.script import Code as CodeBlock
from usertcp.drill.script import Command, Event, Packet, PacketEvent, Script, SystemCall
from usertcp.drill.target import Endpoint, NotPossible, Running, Target
from usertcp.drill.timing import Due, Schedule, first_time, free
from usertcp.observe.escape import for_terminal
from usertcp.sim.posix import SocketAddress

#: In real seconds, for one script.
PATIENCE: Final = 60.0
#: Bytes of packets that an outcome holds.
MOST_KEPT: Final = 64 << 20
_MAPPED: Final = bytes(10) + b"\xff\xff"


class Failed(Exception):
    """The script failed: where, why, and more about it."""

    def __init__(self, line: int, reason: str, detail: str = "") -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Strictness:
    """What counts as a failure, beside what always does."""

    ignore: frozenset[Ignore] = frozenset()
    #: Packets after the last expectation are a failure.
    end: bool = False


@dataclass(slots=True)
class _Pending:
    """A system call that was started and goes on while other events happen."""

    event: Event
    call: SystemCall
    plan: Plan
    running: Running
    due: Due


class Run:
    """One run of ``script``.

    ``source`` is its text, for messages.  ``rehearse`` gets all actions of its shell lines before anything is done,
    and raises NotPossible for one that the target will refuse.
    """

    def __init__(
        self,
        script: Script,
        source: str,
        target: Target,
        options: Options,
        profile: Profile,
        strictness: Strictness,
        *,
        rehearse: Callable[[shell.Action], None] = lambda action: None,
        patience: float = PATIENCE,
    ) -> None:
        self._script = script
        self._lines: Sequence[str] = source.splitlines()
        self._target = target
        self._options = options
        self._profile = profile
        self._rehearse = rehearse
        self._any_time = Ignore.TIMING in strictness.ignore
        self._strict_end = strictness.end
        self._flows = Flows(target, options)
        self._context = Context(options, profile.personality, Descriptors(), lambda: target.epoch)
        self._schedule = Schedule(options.tolerance, options.tolerance_percent, first_time(script.events))
        self._code = Code()
        self._outbound = Outbound(
            self._flows, strictness.ignore, self._segment_size, strict_segments=options.strict_segments
        )
        self._pending: list[_Pending] = []
        #: Where sockets are bound, by the script's descriptors.
        self._bound: dict[int, Endpoint] = {}
        self._give_up = monotonic() + patience
        self._at = 0
        self._kept = 0
        #: The packet that is expected next after each event.
        self._upcoming = _upcoming(script.events)
        self.outcome = Outcome(script.path, Result.PASSED)

    def run(self) -> Outcome:
        """Run it to its end.  Raises nothing for what is in the script: that is the outcome."""
        outcome = self.outcome
        try:
            checked = Checked(self._script, self._options, self._profile, self._rehearse)
            self._apply(checked.init)
            for index, event in enumerate(self._script.events):
                self._at = index
                self._event(event, checked)
            self._end()
        except Failed as failed:
            outcome.result, outcome.line, outcome.reason = Result.FAILED, failed.line, failed.reason
            outcome.detail = failed.detail
        except (Unsupported, ScriptError, AssertionFailed) as stop:
            unsupported = isinstance(stop, Unsupported)
            outcome.result = Result.UNSUPPORTED if unsupported else Result.FAILED
            outcome.line, outcome.reason = stop.line, for_terminal(stop.reason)
        except NotPossible as missing:
            outcome.result, outcome.line, outcome.reason = Result.UNSUPPORTED, self.line, for_terminal(str(missing))
        outcome.unseen = len(self._outbound)
        outcome.recut = self._outbound.recut
        return outcome

    @property
    def line(self) -> int:
        """Where the event stands that happens now."""
        events = self._script.events
        return events[self._at].line if events else 0

    def _source(self, line: int) -> str:
        """The script's own text."""
        return for_terminal(self._lines[line - 1].strip()) if 0 < line <= len(self._lines) else ""

    # -- Events and time

    def _event(self, event: Event, checked: Checked) -> None:
        due = self._schedule.due(event)
        action = event.action
        if isinstance(action, PacketEvent) and not action.inbound:
            self._expect(event, action.packet, free(due) if self._any_time else due)
            self._schedule.happened(event, due, self._target.now)
            return
        if due.start > MOST_TIME:
            raise too_long(event.line)
        self._wait_for(event, due)
        returns = None
        if isinstance(action, SystemCall) and action.end is not None:
            returns = self._schedule.returns(event, action)
        self._schedule.happened(event, due, self._target.now)
        match action:
            case PacketEvent():
                self._inject(event, action.packet)
            case SystemCall():
                self._call(event, action, returns)
            case Command():
                self._apply(checked.commands[self._at])
            case CodeBlock():
                self.outcome.printed += self._code.run(action.text, action.line, self._fields)

    def _wait_for(self, event: Event, due: Due) -> None:
        """Until ``event`` is due.  Fails where its time has gone by while a call slept or a packet was awaited."""
        self._wait(lambda: False, due.start)
        if self._target.now > due.latest and not self._any_time:
            reason = f"it is {self._target.now:.6f} s already, and this was to happen at {due}"
            raise Failed(event.line, reason, self._source(event.line))

    def _wait(self, enough: Callable[[], bool], until: float) -> None:
        """Let time pass up to ``until``, or until ``enough()``; sees to the calls that are running meanwhile."""
        target = self._target
        self._collect()
        while not enough() and target.now < until:
            if monotonic() > self._give_up:
                raise Failed(self.line, "the run took too long in real time, and was given up")
            limit = min([until, *(pending.due.latest for pending in self._pending)])
            if limit == inf and target.quiet():
                return
            target.wait(min(limit, target.now + MOST_TIME))
            self._collect()
            self._overdue()
            if target.now > 3 * MOST_TIME:
                raise too_long(self.line)

    def _collect(self) -> None:
        """Take in what left, and what the calls returned that were running."""
        for sent in self._target.sent():
            self._outbound.left(sent)
            self._crosses(Crossing(sent.time, False, sent.packet, ""))
        for pending in [pending for pending in self._pending if pending.running.done]:
            self._pending.remove(pending)
            self._returned(pending)

    def _crosses(self, crossing: Crossing) -> None:
        """Keep a packet for whoever wants to see them all, if there are not too many."""
        self._kept += len(crossing.packet)
        if self._kept <= MOST_KEPT:
            self.outcome.crossings.append(crossing)

    def _overdue(self) -> None:
        now = self._target.now
        for pending in self._pending:
            if now >= pending.due.latest:
                reason = f"{pending.call.name}() has not returned by {now:.6f} s; it was to at {pending.due}"
                raise Failed(pending.event.line, reason, self._source(pending.event.line))

    # -- Packets

    def _inject(self, event: Event, packet: Packet) -> None:
        flow = self._flows.inbound(packet, self._upcoming[self._at])
        try:
            built = build(packet, flow)
        except Unbuildable as error:
            raise ScriptError(event.line, error.reason) from None
        self._crosses(Crossing(self._target.now, True, built, self._source(event.line)))
        self._target.inject(built)
        self._collect()

    def _expect(self, event: Event, packet: Packet, due: Due) -> None:
        """The next packet that leaves is ``packet``, at its time; or the next ones are its segments."""
        rest: Packet | None = packet
        while rest is not None:
            self._wait(lambda: bool(self._outbound), due.latest)
            if not self._outbound:
                raise Failed(event.line, f"the packet did not come: {due}", self._missing(event))
            match = self._outbound.match(rest)
            if match.differences:
                raise self._differs(event, packet, match)
            time = match.sent.time
            if not due.has(time):
                reason = f"the packet left at {time:.6f} s, and was expected at {due}"
                raise Failed(event.line, reason, self._source(event.line))
            rest = match.rest

    def _differs(self, event: Event, packet: Packet, match: Match) -> Failed:
        fields = ", ".join(difference.field for difference in match.differences)
        text = diff(self._source(event.line), packet, match.sent.packet, match.flow, match.differences)
        return Failed(
            event.line, f"the packet is not as expected: {fields}", f"{text}\n  it left at {match.sent.time:.6f} s"
        )

    def _missing(self, event: Event) -> str:
        """What comes next instead of a packet."""
        target = self._target
        text = self._source(event.line)
        if not target.virtual:
            return text
        while not target.quiet() and target.now < MOST_TIME:
            target.wait(target.now + MOST_TIME)
            for sent in target.sent():
                shown = describe(sent.packet, self._flows.outbound(sent.packet))
                return f"{text}\n  next comes, at {sent.time:.6f} s: > {shown}"
        return f"{text}\n  nothing more will come by itself"

    def _segment_size(self) -> int | None:
        """How much payload a full segment of the newest connection has."""
        live = self._context.descriptors.newest()
        try:
            return None if live is None else info.fields(self._target.info(live)).get("tcpi_snd_mss")
        except (OSError, NotPossible):
            return None

    # -- System calls

    def _call(self, event: Event, call: SystemCall, returns: Due | None) -> None:
        plan = syscalls.plan(call, event.line, self._context)
        flows = len(self._flows)
        running = self._target.start(plan.name, plan.arguments)
        self._collect()
        self._begun(call, plan, running, new_flow=len(self._flows) > flows)
        if returns is not None:
            due = free(returns) if self._any_time else returns
            self._pending.append(_Pending(event, call, plan, running, due))
            self._collect()
            return
        self._wait(lambda: running.done, inf)
        if not running.done:
            raise Failed(event.line, f"{call.name}() would sleep for ever", self._source(event.line))
        self._verify(event, call, plan, running)

    def _begun(self, call: SystemCall, plan: Plan, running: Running, *, new_flow: bool) -> None:
        """A call may have begun a connection, even if it sleeps now."""
        connects = plan.name == "connect" and (not running.done or running.error in (None, EINPROGRESS))
        if not connects and not new_flow:
            return
        script = self._descriptor(call)
        if connects:
            self._context.descriptors.connected(script)
            if not new_flow:
                self._without_packet(script)
        if new_flow:
            self._flows.opened(script)
            self._context.descriptors.connected(script)

    def _descriptor(self, call: SystemCall) -> int:
        """The script's number of a call's first argument."""
        return syscalls.descriptor_of(call, self.line, self._context)

    def _without_packet(self, script: int) -> None:
        """A socket got a peer, and no packet says so: the next ones to it are from there."""
        live = self._context.descriptors.live(script)
        local, remote = (self._target.start(name, (live,)) for name in ("getsockname", "getpeername"))
        if local.done and remote.done and local.error is None and remote.error is None:
            self._flows.connected(_endpoint(local.value), _endpoint(remote.value), script)

    def _returned(self, pending: _Pending) -> None:
        ended, line = pending.running.ended, pending.event.line
        if not pending.due.has(ended):
            reason = f"{pending.call.name}() returned at {ended:.6f} s, and was to at {pending.due}"
            raise Failed(line, reason, self._source(line))
        self._verify(pending.event, pending.call, pending.plan, pending.running)

    def _verify(self, event: Event, call: SystemCall, plan: Plan, running: Running) -> None:
        differences = syscalls.verify(call, event.line, self._context, plan, running)
        if differences:
            lines = [self._source(event.line), *(f"  {for_terminal(line)}" for line in differences)]
            reason = f"{call.name}() is not as expected: {differences[0]}"
            raise Failed(event.line, for_terminal(reason), "\n".join(lines))
        if running.error is None and plan.fails_with is None:
            self._succeeded(call, plan, running)

    def _succeeded(self, call: SystemCall, plan: Plan, running: Running) -> None:
        match plan.name:
            case "bind":
                self._bound[self._descriptor(call)] = _endpoint(plan.arguments[1])
            case "listen":
                # packetdrill's peer connects to the usual port, even if the socket was never bound.
                script = self._descriptor(call)
                usual = Endpoint(self._options.local_address, self._options.bind_port)
                self._flows.listening(self._bound.get(script, usual), script)
            case "accept" | "accept4":
                live, address = running.value
                self._flows.accepted(_endpoint(address), self._context.descriptors.script(live))
            case "close":
                self._flows.closed(self._descriptor(call))
                self._bound.pop(self._descriptor(call), None)

    # -- The rest

    def _apply(self, actions: list[shell.Action]) -> None:
        for action in actions:
            self._target.apply(action)

    def _fields(self) -> dict[str, int]:
        """tcp_info of the newest connection."""
        live = self._context.descriptors.newest()
        if live is None:
            raise Failed(self.line, "there is no socket to ask for its tcp_info")
        try:
            return info.fields(self._target.info(live))
        except OSError as error:
            raise Failed(self.line, f"the socket has no tcp_info: {error.strerror}") from None

    def _end(self) -> None:
        """All calls must have returned, and nothing may have left of which the script has seen only a part."""
        latest = max((pending.due.latest for pending in self._pending), default=0.0)
        self._wait(lambda: not self._pending, latest)
        for pending in self._pending:
            raise Failed(pending.event.line, f"{pending.call.name}() never returned", self._source(pending.event.line))
        self._collect()
        first = self._outbound.first
        if first is not None and (self._strict_end or self._outbound.in_parts):
            raise Failed(
                self.line,
                f"packets left that the script does not expect: {len(self._outbound)}",
                f"  the first, at {first.time:.6f} s: > {describe(first.packet, self._flows.outbound(first.packet))}",
            )


def _upcoming(events: Sequence[Event]) -> list[Packet | None]:
    found: list[Packet | None] = []
    packet: Packet | None = None
    for event in reversed(events):
        found.append(packet)
        if isinstance(event.action, PacketEvent) and not event.action.inbound:
            packet = event.action.packet
    return found[::-1]


def _endpoint(address: SocketAddress) -> Endpoint:
    """As on the wire."""
    host = address.address
    return Endpoint(host[12:] if host.startswith(_MAPPED) else host, address.port)
