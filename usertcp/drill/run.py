"""Runs a script against a target: its events in their order, each at its time.

Whatever a script wants is done or refused; nothing of it is skipped.  The first thing that is not as the script
says ends the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import EINPROGRESS
from math import inf
from time import monotonic
from typing import Final

from usertcp.drill import info, shell, syscalls
from usertcp.drill.arguments import Context
from usertcp.drill.code import AssertionFailed, Code
from usertcp.drill.descriptors import Descriptors
from usertcp.drill.errors import ScriptError, Unsupported
from usertcp.drill.flows import Flows
from usertcp.drill.ignore import Ignore
from usertcp.drill.options import Options
from usertcp.drill.outcome import Crossing, Outcome, Result
from usertcp.drill.packets import Unbuildable, build, compare, describe, diff
from usertcp.drill.plan import Plan
from usertcp.drill.profiles import Profile
from usertcp.drill.script import Code as CodeBlock
from usertcp.drill.script import Command, Event, Packet, PacketEvent, Script, SystemCall, TcpPacket, TimeKind
from usertcp.drill.target import Endpoint, NotPossible, Running, Sent, Target
from usertcp.drill.timing import Due, Schedule, first_time, free
from usertcp.observe.escape import for_terminal
from usertcp.sim.posix import SocketAddress

#: Scripts are short: more is a mistake, or malice.
MOST_EVENTS: Final = 100_000
#: In seconds of the script.
MOST_TIME: Final = 1e6
#: In real seconds, for one script.
PATIENCE: Final = 60.0
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


@dataclass(slots=True)
class _Held:
    """A packet that left and was not yet compared; ``part``: its first bytes were."""

    sent: Sent
    part: bool = False


class Run:
    """One run of ``script``; ``source`` is its text, for messages."""

    def __init__(
        self,
        script: Script,
        source: str,
        target: Target,
        options: Options,
        profile: Profile,
        strictness: Strictness,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._script = script
        self._lines: Sequence[str] = source.splitlines()
        self._target = target
        self._options = options
        self._profile = profile
        self._ignore = strictness.ignore
        self._strict_end = strictness.end
        self._flows = Flows(target, options)
        self._context = Context(options, profile.personality, Descriptors())
        self._schedule = Schedule(options.tolerance, options.tolerance_percent, first_time(script.events))
        self._code = Code()
        self._held: deque[_Held] = deque()
        self._pending: list[_Pending] = []
        self._commands: dict[int, list[shell.Action]] = {}
        self._give_up = monotonic() + patience
        self._at = 0
        self.outcome = Outcome(script.path, Result.PASSED)

    def run(self) -> Outcome:
        """Run it to its end.  Raises nothing for what is in the script: that is the outcome."""
        outcome = self.outcome
        try:
            self._check()
            for index, event in enumerate(self._script.events):
                self._at = index
                self._event(event)
            self._end()
        except Failed as failed:
            outcome.result, outcome.line, outcome.reason = (Result.FAILED, failed.line, failed.reason)
            outcome.detail = failed.detail
        except (Unsupported, ScriptError, AssertionFailed) as stop:
            unsupported = isinstance(stop, Unsupported)
            outcome.result = Result.UNSUPPORTED if unsupported else Result.FAILED
            outcome.line, outcome.reason = stop.line, for_terminal(stop.reason)
        except NotPossible as missing:
            outcome.result, outcome.line, outcome.reason = (Result.UNSUPPORTED, self.line, for_terminal(str(missing)))
        outcome.unseen = len(self._held)
        return outcome

    # -- Before it begins

    def _check(self) -> None:
        """Raises Unsupported for what no event of this kind can do, before anything is done."""
        events = self._script.events
        if len(events) > MOST_EVENTS:
            raise Unsupported(events[MOST_EVENTS].line, f"more than {MOST_EVENTS} events")
        actions = [self._interpreted(Command(text)) for text in self._options.init_scripts]
        actions += [self._interpreted(command) for command in self._script.init]
        for index, event in enumerate(events):
            self._check_event(index, event)
        for group in actions:
            self._apply(group)

    def _interpreted(self, command: Command) -> list[shell.Action]:
        return shell.interpret(command.text, command.line, self._profile.dialect)

    def _check_event(self, index: int, event: Event) -> None:
        action = event.action
        if max(event.time.start, event.time.end) > MOST_TIME:
            raise Unsupported(event.line, f"more than {MOST_TIME:,.0f} seconds")
        if isinstance(action, PacketEvent):
            if action.inbound and event.time.kind not in (TimeKind.ABSOLUTE, TimeKind.RELATIVE):
                raise ScriptError(event.line, "only what is expected can have a time that is not fixed")
            if isinstance(action.packet, TcpPacket) and action.packet.mutations:
                raise Unsupported(event.line, f"changes to a packet's bytes: {action.packet.mutations}")
            return
        if event.time.kind not in (TimeKind.ABSOLUTE, TimeKind.RELATIVE):
            raise ScriptError(event.line, "only an expected packet can have a time that is not fixed")
        if isinstance(action, SystemCall):
            syscalls.check(action, event.line, self._profile.personality)
        elif isinstance(action, Command):
            self._commands[index] = shell.interpret(action.text, event.line, self._profile.dialect)

    # -- Events

    @property
    def line(self) -> int:
        """Where the event stands that happens now."""
        events = self._script.events
        return events[self._at].line if events else 0

    def _event(self, event: Event) -> None:
        due = self._schedule.due(event)
        action = event.action
        if isinstance(action, PacketEvent) and not action.inbound:
            self._expect(event, action.packet, free(due) if Ignore.TIMING in self._ignore else due)
            self._schedule.happened(event, due, self._target.now)
            return
        if due.start > MOST_TIME:
            raise Unsupported(event.line, f"more than {MOST_TIME:,.0f} seconds")
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
                self._apply(self._commands[self._at])
            case CodeBlock():
                self.outcome.printed += self._code.run(action.text, action.line, self._fields)

    def _wait_for(self, event: Event, due: Due) -> None:
        """Until ``event`` is due.  Fails where its time has gone by while a call slept or a packet was awaited."""
        self._wait(lambda: False, due.start)
        if self._target.now > due.latest and Ignore.TIMING not in self._ignore:
            raise Failed(event.line, f"it is {self._target.now:.6f} s already, and this was to happen at {due}")

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
                raise Unsupported(self.line, f"more than {MOST_TIME:,.0f} seconds")

    def _collect(self) -> None:
        """Take in what left, and what the calls returned that were running."""
        for sent in self._target.sent():
            self._held.append(_Held(sent))
            self.outcome.crossings.append(Crossing(sent.time, False, sent.packet, ""))
            self._flows.outbound(sent.packet)
        for pending in [pending for pending in self._pending if pending.running.done]:
            self._pending.remove(pending)
            self._returned(pending)

    def _overdue(self) -> None:
        for pending in self._pending:
            if self._target.now >= pending.due.latest:
                raise Failed(
                    pending.event.line,
                    f"{pending.call.name}() has not returned by {self._target.now:.6f} s; it was to at {pending.due}",
                )

    # -- Packets

    def _inject(self, event: Event, packet: Packet) -> None:
        flow = self._flows.inbound(packet, self._upcoming())
        try:
            built = build(packet, flow)
        except Unbuildable as error:
            raise ScriptError(event.line, error.reason) from None
        self.outcome.crossings.append(Crossing(self._target.now, True, built, self._source(event.line)))
        self._target.inject(built)
        self._collect()

    def _upcoming(self) -> Packet | None:
        """The next packet that the script expects."""
        for event in self._script.events[self._at + 1 :]:
            if isinstance(event.action, PacketEvent) and not event.action.inbound:
                return event.action.packet
        return None

    def _expect(self, event: Event, packet: Packet, due: Due) -> None:
        self._wait(lambda: bool(self._held), due.latest)
        if not self._held:
            raise Failed(event.line, f"the packet did not come: {due}", self._missing(event))
        held = self._held.popleft()
        flow = self._flows.outbound(held.sent.packet)
        differences = compare(packet, held.sent.packet, flow, self._ignore)
        if differences:
            reason = f"the packet is not as expected: {', '.join(difference.field for difference in differences)}"
            text = diff(self._source(event.line), packet, held.sent.packet, flow, differences)
            raise Failed(event.line, reason, f"{text}\n  it left at {held.sent.time:.6f} s")
        if not due.has(held.sent.time):
            text = self._source(event.line)
            raise Failed(event.line, f"the packet left at {held.sent.time:.6f} s, and was expected at {due}", text)

    def _missing(self, event: Event) -> str:
        """What came instead of a packet, or comes next."""
        target = self._target
        text = for_terminal(self._source(event.line).strip())
        if target.quiet():
            return f"{text}\n  nothing more will come by itself"
        if target.virtual:
            before = target.now
            target.wait(before + MOST_TIME)
            sent = target.sent()
            if sent:
                flow = self._flows.outbound(sent[0].packet)
                return f"{text}\n  next comes, at {sent[0].time:.6f} s: > {describe(sent[0].packet, flow)}"
        return text

    def _source(self, line: int) -> str:
        return self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""

    # -- System calls

    def _call(self, event: Event, call: SystemCall, returns: Due | None) -> None:
        plan = syscalls.plan(call, event.line, self._context)
        flows = len(self._flows)
        running = self._target.start(plan.name, plan.arguments)
        self._collect()
        self._begun(call, plan, running, new_flow=len(self._flows) > flows)
        if returns is not None:
            if Ignore.TIMING in self._ignore:
                returns = free(returns)
            self._pending.append(_Pending(event, call, plan, running, returns))
            self._collect()
            return
        self._wait(lambda: running.done, inf)
        if not running.done:
            raise Failed(event.line, f"{call.name}() would sleep for ever", self._source(event.line))
        self._verify(event, call, plan, running)

    def _begun(self, call: SystemCall, plan: Plan, running: Running, *, new_flow: bool) -> None:
        """A call may have begun a connection, even if it sleeps now."""
        if plan.name == "connect":
            script = self._script_descriptor(call)
            if not running.done or running.error in (None, EINPROGRESS):
                self._context.descriptors.connected(script)
                if not new_flow:
                    self._connected(script)
        if new_flow and plan.name in ("connect", "sendto", "sendmsg", "write", "send", "writev"):
            self._flows.opened(self._script_descriptor(call))
            self._context.descriptors.connected(self._script_descriptor(call))

    def _script_descriptor(self, call: SystemCall) -> int:
        return syscalls.descriptor_of(call, self.line, self._context)

    def _connected(self, script: int) -> None:
        """A socket got a peer without a packet: the next ones to it are from there."""
        live = self._context.descriptors.live(script)
        local, remote = (self._target.start(name, (live,)) for name in ("getsockname", "getpeername"))
        if local.done and remote.done and local.error is None and remote.error is None:
            self._flows.connecting(_endpoint(local.value), _endpoint(remote.value), script)

    def _returned(self, pending: _Pending) -> None:
        ended = pending.running.ended
        if not pending.due.has(ended):
            raise Failed(
                pending.event.line,
                f"{pending.call.name}() returned at {ended:.6f} s, and was to at {pending.due}",
                self._source(pending.event.line),
            )
        self._verify(pending.event, pending.call, pending.plan, pending.running)

    def _verify(self, event: Event, call: SystemCall, plan: Plan, running: Running) -> None:
        differences = syscalls.verify(call, event.line, self._context, plan, running)
        if differences:
            lines = [self._source(event.line), *(f"  {line}" for line in differences)]
            reason = f"{call.name}() is not as expected: {differences[0]}"
            raise Failed(event.line, for_terminal(reason), "\n".join(map(for_terminal, lines)))
        if running.error is None and plan.fails_with is None:
            self._succeeded(call, plan, running)

    def _succeeded(self, call: SystemCall, plan: Plan, running: Running) -> None:
        match plan.name:
            case "listen":
                name = self._target.start("getsockname", plan.arguments[:1])
                if name.done and name.error is None:
                    self._flows.listening(_endpoint(name.value), self._script_descriptor(call))
            case "accept" | "accept4":
                live, address = running.value
                self._flows.accepted(_endpoint(address), self._context.descriptors.script(live))
            case "close":
                self._flows.closed(self._script_descriptor(call))

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
            raise Failed(self.line, f"the socket has no tcp_info: {error.strerror}")

    def _end(self) -> None:
        """All calls must have returned, and with strict_end nothing may have left that nobody expected."""
        latest = max((pending.due.latest for pending in self._pending), default=0.0)
        self._wait(lambda: not self._pending, latest)
        for pending in self._pending:
            raise Failed(pending.event.line, f"{pending.call.name}() never returned", self._source(pending.event.line))
        self._collect()
        if self._held and (self._strict_end or self._held[0].part):
            first = self._held[0].sent
            flow = self._flows.outbound(first.packet)
            raise Failed(
                self.line,
                f"{len(self._held)} packets left that the script does not expect",
                f"  the first, at {first.time:.6f} s: > {describe(first.packet, flow)}",
            )


def _endpoint(address: SocketAddress) -> Endpoint:
    """As on the wire."""
    host = address.address
    return Endpoint(host[12:] if host.startswith(_MAPPED) else host, address.port)
