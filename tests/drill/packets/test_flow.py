"""What one connection calls its numbers, step by step."""

from __future__ import annotations

import pytest

from tests.drill.packets.strategies import LOCAL_4, REMOTE_4, sequence
from usertcp.drill.packets import Endpoints, Flow, build, compare, describe, endpoints
from usertcp.drill.script import Sequence, TcpOption, TcpPacket
from usertcp.wire import tcp

US, THEM = 8080, 33000
OUR_ISN = 0xFFFFFFF0


def segment(flags: str, start: int, ack: int | None = None, *, length: int = 0, **fields: object) -> TcpPacket:
    return TcpPacket(frozenset(flags), sequence(start, length), ack, **fields)  # type: ignore[arg-type]


def live(flags: str, seq: int, ack: int | None = None, **fields: object) -> bytes:
    """What a host sends whose numbers these are on the wire."""
    return build(segment(flags, seq, ack, **fields), Flow(REMOTE_4, LOCAL_4, THEM, US))


def ours() -> Flow:
    return Flow(LOCAL_4, REMOTE_4, US, THEM, remote_offset=1000)


def wire(packet: bytes) -> tcp.Segment:
    parsed = tcp.parse(packet[20:])
    assert isinstance(parsed, tcp.Segment)
    return parsed


def answered() -> Flow:
    """A SYN came in, and its SYN+ACK went out."""
    flow = ours()
    assert wire(build(segment("S", 0), flow)).seq == 1000
    assert compare(segment("S.", 0, 1), live("S.", OUR_ISN, 1001), flow) == []
    return flow


def test_a_passive_connection() -> None:
    flow = answered()
    sent = wire(
        build(segment(".", 1, 1, options=(TcpOption("sack", (21, 31)), TcpOption("nop"), TcpOption("nop"))), flow)
    )
    assert (sent.seq, sent.ack) == (1001, OUR_ISN + 1)
    assert sent.options.sack == ((5, 15),)
    sacks = (TcpOption("sack", (101, 201)), TcpOption("nop"), TcpOption("nop"))
    actual = (TcpOption("sack", (1101, 1201)), TcpOption("nop"), TcpOption("nop"))
    assert (
        compare(segment("P.", 21, 1, length=5, options=sacks), live("P.", 5, 1001, length=5, options=actual), flow)
        == []
    )


def test_an_active_connection_tells_its_port() -> None:
    flow = Flow(LOCAL_4, REMOTE_4, None, THEM)
    assert compare(segment("S", 0), live("S", 12345), flow) == []
    assert (flow.local_port, flow.local_offset) == (US, 12345)
    assert wire(build(segment("S.", 0, 1), flow)).ack == 12346


def test_a_script_may_begin_with_another_number_than_0() -> None:
    flow = ours()
    assert compare(segment("S", 500), live("S", 12345), flow) == []
    assert compare(segment(".", 501, 1), live(".", 12346, 1001), flow) == []


def test_nothing_is_learned_from_what_is_not_expected() -> None:
    flow = Flow(LOCAL_4, REMOTE_4, None, THEM)
    assert compare(segment("S", 0, window=7), live("S", 12345, window=8), flow)
    assert (flow.local_port, flow.local_offset, flow.timestamps) == (None, None, {})


def test_a_syn_sent_again_has_the_same_number() -> None:
    flow = answered()
    build(segment("S", 0), flow)
    assert compare(segment("S.", 0, 1), live("S.", OUR_ISN, 1001), flow) == []
    assert [found.field for found in compare(segment("S.", 0, 1), live("S.", 77, 1001), flow)] == ["seq"]


def test_our_own_number_survives_a_simultaneous_open() -> None:
    flow = ours()
    assert compare(segment("S", 0), live("S", OUR_ISN), flow) == []
    build(segment("S", 0), flow)
    assert [found.field for found in compare(segment("S.", 0, 1), live("S.", 77, 1001), flow)] == ["seq"]
    assert compare(segment("S.", 0, 1), live("S.", OUR_ISN, 1001), flow) == []


def test_a_new_syn_may_begin_our_numbers_anew() -> None:
    """As one does that ends TIME-WAIT."""
    flow = answered()
    build(segment("S", 31002), flow)
    assert compare(segment("S.", 0, 31003), live("S.", 77, 32003), flow) == []
    assert wire(build(segment(".", 31003, 1), flow)).ack == 78


@pytest.mark.parametrize("inbound", [True, False])
def test_a_reset_connection_may_begin_anew(inbound: bool) -> None:
    flow = answered()
    if inbound:
        build(segment("R", 1), flow)
    else:
        assert compare(segment("R", 1), live("R", OUR_ISN + 1), flow) == []
    build(segment("S", 0), flow)
    assert compare(segment("S.", 0, 1), live("S.", 77, 1001), flow) == []


def test_a_reset_answers_a_syn_to_a_closed_port() -> None:
    flow = ours()
    build(segment("S", 0), flow)
    assert compare(segment("R.", 0, 1), live("R.", 0, 1001), flow) == []


def test_a_reset_answers_an_acknowledgment_of_nothing() -> None:
    flow = ours()
    assert wire(build(segment(".", 1, 7), flow)).ack == 7
    assert compare(segment("R", 7), live("R", 7), flow) == []


def test_a_reset_of_a_connection_that_is_gone() -> None:
    flow = answered()
    assert compare(segment("R", 2), live("R", 0xFFFFFFF2), flow) == []
    # To a segment without an acknowledgment: RFC 9293 §3.10.7.1.
    assert compare(segment("R.", 0, 2), live("R.", 0, 1002), flow) == []
    assert [found.field for found in compare(segment("R.", 1, 2), live("R.", 0, 1002), flow)] == ["seq"]
    assert describe(live("R.", 0, 1002), flow) == "R. 0:0(0) ack 2 win 65535"


def test_a_number_that_happens_to_be_0_on_the_wire() -> None:
    flow = answered()
    assert compare(segment("R.", 16, 1), live("R.", 0, 1001), flow) == []


def test_absolute_numbers_are_those_on_the_wire() -> None:
    flow = answered()
    packet = TcpPacket(frozenset("."), Sequence(5, 5, 0, absolute=True), 6, ack_absolute=True)
    sent = wire(build(packet, flow))
    assert (sent.seq, sent.ack) == (5, 6)
    assert compare(packet, live(".", 5, 6), flow) == []
    assert [found.field for found in compare(packet, live(".", 6, 7), flow)] == ["seq", "ack"]


def test_a_segment_without_an_acknowledgment_has_none() -> None:
    flow = answered()
    assert wire(build(segment("P", 1, length=1), flow)).ack == 0
    assert wire(build(segment(".", 1, length=1), flow)).ack == OUR_ISN
    # A number without the flag means nothing, and stays as it is.
    for absolute in (False, True):
        packet = segment("P", 1, 5, length=1, ack_absolute=absolute)
        assert wire(build(packet, flow)).ack == 5
        assert compare(packet, live("P", OUR_ISN + 1, 5, length=1), flow) == []
        assert [found.field for found in compare(packet, live("P", OUR_ISN + 1, 6, length=1), flow)] == ["ack"]


def stamped(flags: str, value: int, echo: int) -> TcpPacket:
    return segment(flags, 0, 1, options=(TcpOption("TS", (value, echo)), TcpOption("nop"), TcpOption("nop")))


def echoed(flow: Flow, number: int) -> int | None:
    return wire(build(stamped(".", 1, number), flow)).ts_ecr


def test_echoed_timestamps() -> None:
    flow = ours()
    assert echoed(flow, 100) == 100  # nothing to go by
    options = (TcpOption("TS", (5000, 0)), TcpOption("nop"), TcpOption("nop"))
    assert compare(stamped("S.", 100, 0), live("S.", 9, 1001, options=options), flow) == []
    assert echoed(flow, 100) == 5000
    assert echoed(flow, 101) == 5001
    assert echoed(flow, 0) == 0
    options = (TcpOption("TS", (5003, 0)), TcpOption("nop"), TcpOption("nop"))
    assert compare(stamped(".", 200, 0), live(".", 9, 1001, options=options), flow) == []
    assert [echoed(flow, number) for number in (100, 200, 199)] == [5000, 5003, 5002]


def test_an_echo_of_what_the_script_never_called_anything() -> None:
    flow = ours()
    options = (TcpOption("TS", (5000, 0)), TcpOption("nop"), TcpOption("nop"))
    assert compare(segment("S.", 0, 1, options=None), live("S.", 9, 1001, options=options), flow) == []
    assert [echoed(flow, number) for number in (0, 1, 77)] == [0, 5000, 5000]


def test_whose_a_packet_is() -> None:
    packet = live(".", 1, 1)
    assert endpoints(packet) == Endpoints(LOCAL_4, US, REMOTE_4, THEM)
    assert ours().sends(endpoints(packet))
    assert Flow(LOCAL_4, REMOTE_4, None, THEM).sends(endpoints(packet))
    assert not Flow(LOCAL_4, REMOTE_4, US, 1).sends(endpoints(packet))
    assert not Flow(LOCAL_4, REMOTE_4, 1, THEM).sends(endpoints(packet))
    assert not Flow(LOCAL_4, LOCAL_4, US, THEM).sends(endpoints(packet))
    assert not ours().sends(endpoints(b""))


def test_ports_that_the_script_names() -> None:
    flow = answered()
    assert compare(segment(".", 1, 1, ports=(10, 20)), live(".", OUR_ISN + 1, 1001), flow) == []
    found = compare(segment(".", 1, 1, ports=(10, 21)), live(".", OUR_ISN + 1, 1001), flow)
    assert found == [("ports", "10 > 21", "10 > 20")]
