"""What is queued, how much of it, and who is woken."""

from __future__ import annotations

from tests.observe.observed import Observed
from usertcp.observe.packet_log import Arrived, Left, Missing, Numbers, PacketLog, Settled
from usertcp.tcp.events import Kind
from usertcp.tcp.states import State


def test_the_order_is_that_in_which_things_happen() -> None:
    observed = Observed()
    observed.connected()
    kinds = [entry[0] if type(entry) is tuple else type(entry) for entry in observed.log.take(1000)]
    told = (Arrived, Settled, Left, Numbers, Kind.SEGMENT_IN, Kind.SEGMENT_OUT)
    assert [kind for kind in kinds if kind in told] == [
        *(Arrived, Kind.SEGMENT_IN, Settled),
        *(Kind.SEGMENT_OUT, Numbers, Left),
        *(Arrived, Kind.SEGMENT_IN, Settled),
    ]


def test_numbers_are_those_of_the_moment() -> None:
    observed = Observed()
    ours, _ = observed.connected()
    list(observed.log.take(1000))
    ours.send(bytes(3000), observed.now)
    observed.ours.flush(observed.now)
    numbers = [entry for entry in observed.log.take(1000) if isinstance(entry, Numbers)]
    assert [each.in_flight for each in numbers] == [1448, 2896]
    assert {(each.conn, each.state) for each in numbers} == {(ours.number, State.ESTABLISHED)}


def test_whoever_takes_is_woken_when_something_comes_and_nothing_was_there() -> None:
    woken = []
    log = PacketLog(wake=lambda: woken.append(len(log)))
    log.left(1.0, (b"a",))
    log.left(2.0, (b"b",))
    assert woken == [1]
    assert list(log.take(1)) == [Left(1.0, (b"a",))]
    log.left(3.0, (b"c",))
    assert woken == [1]
    assert len(list(log.take(9))) == 2
    log.left(4.0, (b"d",))
    assert woken == [1, 1]


def test_no_more_than_the_limit_waits() -> None:
    log = PacketLog(limit=10_000)
    for number in range(100):
        log.left(number, (bytes(600),))
    kept = list(log.take(1000))
    assert 5 <= len(kept) <= 10
    assert kept == [Left(number, (bytes(600),)) for number in range(len(kept))]
    assert log.lost == 100 - len(kept)
    log.arrived(100.0, b"later")
    assert list(log.take(1000)) == [Missing(log.lost), Arrived(100.0, b"later")]


def test_a_log_that_was_stopped_keeps_nothing() -> None:
    log = PacketLog()
    log.left(1.0, (b"a",))
    log.stop()
    log.left(2.0, (b"b",))
    assert len(log) == 0
    assert log.lost == 0
