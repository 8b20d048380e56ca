"""The ladder and the inferred peer against two real hosts in virtual time, who know better."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from usertcp.observe.ladder import Ladder, ladders
from usertcp.observe.lines import plain
from usertcp.observe.peer import Peer
from usertcp.observe.recorder import Recorder
from usertcp.sim.impairment import Conditions, Impairment
from usertcp.sim.network import Network
from usertcp.stack.host import Host
from usertcp.tcp.connection import Connection
from usertcp.tcp.events import SegmentIn, SegmentOut, TraceEvent, Transitioned
from usertcp.tcp.states import Event, State

OVER = (State.TIME_WAIT, State.CLOSED)
SERVER, CLIENT = bytes([192, 0, 2, 2]), bytes([192, 0, 2, 1])


class Pair:
    """A client and a server with 5 ms between them, both recorded."""

    def __init__(self, conditions: Conditions | None = None, seed: int = 1) -> None:
        self.there, self.back = Recorder(), Recorder()
        self.server = Host([SERVER], secret=b"s" * 16, trace=self.there)
        self.client = Host([CLIENT], secret=b"c" * 16, trace=self.back)
        self.network = Network()
        path = conditions or Conditions(delay=0.005)
        self.network.link(self.client, self.server, Impairment(path, seed=seed), Impairment(path, seed=seed + 1))
        self.listener = self.server.listen(80)

    def connect(self) -> tuple[Connection, Connection]:
        """An established connection: the client's end and the server's."""
        ours = self.client.connect(SERVER, 80, self.network.now)
        accepted: list[Connection] = []

        def done() -> bool:
            if not accepted:
                theirs = self.listener.accept()
                accepted.extend([theirs] if theirs is not None else [])
            return bool(accepted) and ours.state is State.ESTABLISHED

        assert self.network.run_until(done, 300.0)
        return ours, accepted[0]

    def run(self, seconds: float) -> None:
        self.network.run(self.network.now + seconds)


def _inferred(events: list[TraceEvent], role: str) -> list[State]:
    """The states of the peer, in order, as the ladder tells them."""
    peer = Peer(role)
    states: list[State] = []
    for event in events:
        if isinstance(event, SegmentOut):
            steps = peer.sent_to(event)
        elif isinstance(event, SegmentIn):
            before, after = peer.received_from(event)
            steps = before + after
        else:
            continue
        states += [step.next_state for step in steps]
    return states


def _real(events: list[TraceEvent]) -> list[State]:
    """The states that the connection went through by itself, without those that no segment tells of."""
    return [
        event.next_state
        for event in events
        if isinstance(event, Transitioned)
        and event.next_state is not event.state
        and event.event is not Event.TIME_WAIT_TIMEOUT
    ]


def _client_first(pair: Pair) -> None:
    ours, theirs = pair.connect()
    ours.close(pair.network.now)
    pair.run(1)
    theirs.close(pair.network.now)
    pair.run(1)


def _server_first(pair: Pair) -> None:
    ours, theirs = pair.connect()
    theirs.close(pair.network.now)
    pair.run(1)
    ours.close(pair.network.now)
    pair.run(1)


def _both_at_once(pair: Pair) -> None:
    for end in pair.connect():
        end.close(pair.network.now)
    pair.run(1)


def _client_aborts(pair: Pair) -> None:
    ours, _ = pair.connect()
    ours.abort(pair.network.now)
    pair.run(1)


def _server_aborts_half_closed(pair: Pair) -> None:
    ours, theirs = pair.connect()
    ours.close(pair.network.now)
    pair.run(1)
    theirs.abort(pair.network.now)
    pair.run(1)


ENDINGS = [_client_first, _server_first, _both_at_once, _client_aborts, _server_aborts_half_closed]


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_end_infers_what_the_other_went_through(ending: Callable[[Pair], None]) -> None:
    pair = Pair()
    ending(pair)
    server, client = list(pair.there.events()), list(pair.back.events())
    told_by_server = _inferred(server, "passive")
    told_by_client = _inferred(client, "active")
    if ending is _both_at_once:
        # That the FINs have crossed shows only when the other one comes; until then it looked like CLOSE-WAIT.
        told_by_server.remove(State.CLOSE_WAIT)
        told_by_client.remove(State.CLOSE_WAIT)
    assert told_by_server == _real(client)
    assert told_by_client == _real(server)


def test_simultaneous_open() -> None:
    pair = Pair()
    pair.listener.close(pair.network.now)
    pair.client.connect(SERVER, 1001, pair.network.now, local_port=1002)
    pair.server.connect(CLIENT, 1002, pair.network.now, local_port=1001)
    pair.run(1)
    server, client = list(pair.there.events()), list(pair.back.events())
    assert _real(client) == [State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED]
    assert _inferred(server, "active") == _real(client)
    assert _inferred(client, "active") == _real(server)


def test_a_refused_connection() -> None:
    pair = Pair()
    pair.client.connect(SERVER, 81, pair.network.now)
    pair.run(1)
    assert _inferred(list(pair.back.events()), "active") == [State.CLOSED]


@pytest.mark.parametrize("seed", range(20))
def test_on_a_bad_path_both_ladders_end_in_the_right_states(seed: int) -> None:
    pair = Pair(Conditions(delay=0.01, jitter=0.02, loss=0.2, duplicate=0.1, reorder=0.1), seed * 2)
    ours, theirs = pair.connect()
    assert ours.send(b"x" * 20_000, pair.network.now) == 20_000

    def received() -> bool:
        theirs.receive(1 << 20, pair.network.now)
        return theirs.status().bytes_received == 20_000

    assert pair.network.run_until(received, 1000.0)
    ours.close(pair.network.now)
    theirs.close(pair.network.now)
    assert pair.network.run_until(lambda: {ours.state, theirs.state} <= set(OVER), 3000.0)
    pair.run(1000.0)
    for recorder, other, role in ((pair.there, pair.back, "passive"), (pair.back, pair.there, "active")):
        # Whether a FIN that was lost had been sent before the other one came cannot be seen from here, so
        # TIME-WAIT and CLOSED may be taken for each other; that both FINs are acknowledged may not.
        assert _inferred(list(recorder.events()), role)[-1] in OVER
        assert _real(list(other.events()))[-1] in OVER
        lines = [plain(line) for line in ladders(recorder.events())]
        assert max(map(len, lines)) <= 80
        assert any("CLOSED" in line for line in lines)


def test_a_transfer_of_megabytes_is_a_ladder_of_one_screen() -> None:
    pair = Pair()
    ours, theirs = pair.connect()
    left = 3_000_000

    def done() -> bool:
        nonlocal left
        left -= ours.send(b"x" * min(left, 65536), pair.network.now)
        theirs.receive(1 << 20, pair.network.now)
        return theirs.status().bytes_received == 3_000_000

    assert pair.network.run_until(done, 1000.0)
    _lines = [plain(line) for line in ladders(pair.back.events())]
    assert len(_lines) < 60
    assert any("3.0 MB" in line for line in _lines)


def test_the_live_ladder_tells_several_connections_apart() -> None:
    pair = Pair()
    for _ in range(3):
        pair.connect()
    ladder = Ladder(numbered=True)
    lines = [plain(line) for event in pair.there.events() for line in ladder.feed(event)]
    for number in (1, 2, 3):
        assert sum(line.startswith(f"#{number} ") and "ESTABLISHED" in line for line in lines) >= 2
