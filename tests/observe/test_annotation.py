"""What happens to a host meets the packets that it belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.observe.observed import OURS, PEER, Observed
from usertcp.observe.annotation import Annotated, Annotator
from usertcp.observe.packet_log import Left, Missing, PacketLog
from usertcp.sim.impairment import Entered
from usertcp.sim.wire_form import from_offload
from usertcp.wire import checksum, ipv4, ipv6, tcp, virtio
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import ACK, FIN, RST, SYN, Segment

families = pytest.mark.parametrize("family", [4, 6])
offloads = pytest.mark.parametrize("offload", [False, True], ids=["plain", "offload"])


def segment(packet: bytes) -> Segment:
    """The segment in a packet, whose checksums are right."""
    if packet[0] >> 4 == 4:
        ip: ipv4.Header | ipv6.Header | Malformed = ipv4.parse(memoryview(packet))
        assert isinstance(ip, ipv4.Header)
        assert (ip.header_length, ip.total_length) == (20, len(packet))
        assert checksum.finish(checksum.ones_sum(packet[:20])) == 0
        payload = packet[20:]
    else:
        ip = ipv6.parse(memoryview(packet))
        assert isinstance(ip, ipv6.Header)
        assert ip.payload_length == len(packet) - 40
        payload = packet[40:]
    assert tcp.checksum_ok(memoryview(payload), ip.src, ip.dst)
    found = tcp.parse(memoryview(payload))
    assert isinstance(found, Segment)
    return found


def flags(packets: list[Annotated]) -> list[tuple[bool, int]]:
    return [(each.inbound, segment(each.packet).flags) for each in packets]


def says(packet: Annotated, *words: str) -> bool:
    """Whether one comment has all of these words."""
    return any(all(word in comment for word in words) for comment in packet.comments)


@families
@offloads
def test_the_handshake(family: int, offload: bool) -> None:
    observed = Observed(offload=offload)
    observed.connected(family)
    packets = observed.told()
    assert flags(packets) == [(True, SYN), (False, SYN | ACK), (True, ACK)]
    syn, syn_ack, ack = packets
    assert syn.comments == [
        "connection 1 begins: the peer opens it",
        "CLOSED → LISTEN: passive OPEN (RFC 9293 §3.10.1): a passive OPEN waits for a peer's SYN",
        "LISTEN → SYN-RECEIVED: rcv SYN (RFC 9293 §3.10.7.2): a peer's SYN is answered with SYN,ACK",
        "SYN-RECEIVED · cwnd 14,480 · ssthresh not set · in flight 0 · rto 1000 ms"
        if family == 4
        else "SYN-RECEIVED · cwnd 14,280 · ssthresh not set · in flight 0 · rto 1000 ms",
    ]
    assert len(syn_ack.comments) == 1
    assert says(syn_ack, "SYN-RECEIVED ·", "in flight 1 ")
    assert says(ack, "SYN-RECEIVED → ESTABLISHED: rcv ACK (RFC 9293 §3.10.7.4)")
    assert says(ack, "ESTABLISHED ·", "in flight 0 ")


@families
def test_a_super_segment_is_one_packet_with_a_checksum_of_its_own(family: int) -> None:
    observed = Observed(offload=True)
    ours, theirs = observed.connected(family)
    ours.send(bytes(range(256)) * 40, observed.now)
    observed.turn()
    theirs.send(bytes(10_000), observed.now)
    observed.turn()
    packets = [(each.inbound, segment(each.packet)) for each in observed.told()]
    for inbound in (False, True):
        assert max(len(found.payload) for direction, found in packets if direction is inbound) > 5 * ours.snd_mss


def test_several_segments_that_wait_are_told_apart() -> None:
    """Two connections have segments of the same length in the outbox, one of them one that is sent again."""
    observed = Observed()
    first, _ = observed.connected()
    second, _ = observed.connected()
    first.send(bytes(100), observed.now)
    observed.send(lost=True)
    observed.told()
    second.send(bytes(100), observed.now)
    observed.wait(5.0)
    observed.send()
    packets = observed.told()
    again = [each for each in packets if says(each, "sent again")]
    assert [segment(each.packet).dst_port for each in packets] != []
    assert {segment(each.packet).dst_port for each in again} == {first.remote_port}
    assert says(again[0], "sent again, attempt 1: ")
    others = [each for each in packets if segment(each.packet).dst_port == second.remote_port]
    assert len(others) == 1
    assert says(others[0], "ESTABLISHED ·", "in flight 100 ")


def test_a_retransmission_tells_its_rule_and_its_attempt() -> None:
    observed = Observed()
    ours, _ = observed.connected()
    ours.send(bytes(100), observed.now)
    observed.send(lost=True)
    for _ in range(3):
        observed.wait(ours.deadline() - observed.now)
        observed.send(lost=True)
    attempts = [comment for each in observed.told() for comment in each.comments if comment.startswith("sent again")]
    assert attempts == [
        "sent again, attempt 1: tail loss probe",
        "sent again, attempt 2: retransmission timeout",
        "sent again, attempt 3: retransmission timeout",
    ]


def test_close_is_told_of_the_fin_and_not_of_the_data_before_it() -> None:
    observed = Observed()
    ours, theirs = observed.connected()
    observed.told()
    ours.send(bytes(60_000), observed.now)
    ours.close(observed.now)
    observed.turn()
    outbound = [each for each in observed.told() if not each.inbound]
    assert len(outbound) > 3
    closing = [each for each in outbound if says(each, "ESTABLISHED → FIN-WAIT-1: CLOSE")]
    assert [bool(segment(each.packet).flags & FIN) for each in closing] == [True]
    theirs.close(observed.now)
    observed.turn()
    (fin, ack) = observed.told()
    assert says(fin, "→ TIME-WAIT: rcv FIN")
    assert says(ack, "TIME-WAIT")


def test_what_is_dropped_says_why() -> None:
    observed = Observed()
    ours, theirs = observed.connected()
    theirs.send(b"data", observed.now)
    (packet,) = observed.from_peer()
    damaged = packet[:-1] + bytes([packet[-1] ^ 1])
    observed.told()
    observed.take_in(damaged, packet, packet, packet[:9], b"")
    told = observed.told()
    assert [each.packet for each in told] == [damaged, packet, packet, packet[:9], b""]
    bad, good, again, short, empty = told
    assert says(bad, "dropped: tcp-checksum")
    assert says(good, "ESTABLISHED ·")
    assert not says(good, "dropped")
    assert says(again, "dropped: old-duplicate (RFC 9293 §3.10.7.4)", "nothing new")
    assert says(short, "dropped: ipv4-")
    assert says(empty, "dropped: ipv4-")
    assert ours.rcv_nxt


def test_segments_of_no_connection() -> None:
    observed = Observed()
    observed.peer.connect(OURS[4], 81, observed.now)
    observed.turn()
    syn, reset = observed.told()
    assert says(syn, "dropped: no-connection (RFC 9293 §3.10.7.1)")
    assert segment(reset.packet).flags & RST
    assert reset.comments == ["the answer to a segment of no connection (RFC 9293 §3.10.7.1)"]


def test_what_is_no_tcp_passes_without_a_comment() -> None:
    observed = Observed()
    ping = bytes.fromhex("0800000000010001") + b"ping"
    ping = ping[:2] + checksum.finish(checksum.ones_sum(ping)).to_bytes(2, "big") + ping[4:]
    packet = ipv4.emit(ipv4.Header(PEER[4], OURS[4], 1), len(ping)) + ping
    observed.take_in(packet)
    observed.send()
    asked, answered = observed.told()
    assert (asked.packet, asked.comments) == (packet, [])
    assert (answered.inbound, answered.comments) == (False, [])


def test_an_abort_is_told_of_its_reset() -> None:
    observed = Observed()
    ours, _ = observed.connected()
    observed.told()
    ours.abort(observed.now)
    observed.send()
    (reset,) = observed.told()
    assert segment(reset.packet).flags & RST
    assert says(reset, "ESTABLISHED → CLOSED: ABORT")
    assert says(reset, "connection 1 ends: aborted by the application")


def test_why_no_more_follows() -> None:
    observed = Observed()
    ours, _ = observed.connected()
    observed.told()
    ours.send(bytes(100_000), observed.now)
    observed.send()
    packets = observed.told()
    assert len(packets) == 10  # the initial window (RFC 6928)
    assert [each for each in packets if says(each, "no more follows now", "cwnd")] == packets[-1:]


@offloads
def test_losses_on_the_way_out(offload: bool) -> None:
    """Of a super-segment it is said which segments are lost, counted as readers of captures do it."""
    observed = Observed(offload=offload)
    ours, _ = observed.connected()
    ours.send(bytes(4 * 1448), observed.now)
    observed.ours.flush(observed.now)
    observed.told()
    lost = 0
    for buffers in observed.ours.outbox:
        packet = b"".join(buffers)
        for piece in from_offload(packet) if offload else [packet]:
            if segment(piece).payload:
                lost += 1
                observed.log.entered_outbound(piece, Entered(piece, 0, ("lost",)))
        observed.log.left(observed.now, buffers)
    texts = [comment for each in observed.told() for comment in each.comments if "--impair" in comment]
    assert lost == 4
    if offload:
        assert texts == [
            "lost by --impair on the way out: seq 1 len 1448, seq 1449 len 1448, seq 2897 len 1448, seq 4345 len 1448"
        ]
    else:
        assert texts == ["lost by --impair on the way out"] * 4


def test_what_else_an_impairment_does_on_the_way_out() -> None:
    observed = Observed()
    ours, _ = observed.connected()
    observed.told()
    ours.send(b"data", observed.now)
    observed.ours.flush(observed.now)
    ((*buffers,),) = observed.ours.outbox
    packet = b"".join(buffers)
    observed.log.entered_outbound(packet, Entered(packet, 2, ("corrupted", "duplicated")))
    observed.send()
    (sent,) = observed.told()
    assert sent.packet == packet
    assert says(sent, "damaged and sent twice by --impair on the way out")


def test_losses_and_damage_before_the_stack() -> None:
    observed = Observed()
    _, theirs = observed.connected()
    observed.told()
    theirs.send(b"data", observed.now)
    (packet,) = observed.from_peer()
    observed.log.lost_inbound(observed.now, packet, ("corrupted", "queue-full"))
    observed.log.damaged_inbound()
    observed.take_in(packet)
    lost, damaged = observed.told()
    assert (lost.inbound, lost.packet) == (True, packet)
    assert lost.comments == ["lost in a full queue by --impair before the stack, which never saw it"]
    assert damaged.comments[0] == "damaged by --impair before the stack"


def test_what_did_not_fit_is_missing_and_nothing_is_told_of_the_wrong_packet() -> None:
    log = PacketLog(limit=20_000)
    observed = Observed(log=log)
    ours, theirs = observed.connected()
    assert len(observed.told()) == 3
    observed.passed = 0
    for _ in range(20):
        ours.send(bytes(1000), observed.now)
        observed.turn()
    lost = observed.passed - len(observed.told())
    assert lost == log.lost > 0
    theirs.send(b"the end", observed.now)
    observed.turn()
    rest = observed.told()
    assert [each.missing for each in rest] == [lost] + [0] * (len(rest) - 1)
    assert says(rest[0], f"{lost} packets before this one are missing")
    assert segment(rest[0].packet).payload == b"the end"
    assert says(rest[0], "ESTABLISHED ·")


def test_a_segment_that_was_framed_and_never_sent() -> None:
    """As when the device goes away, or when there was no room to keep its packet."""
    observed = Observed()
    ours, _ = observed.connected()
    observed.told()
    ours.send(bytes(100), observed.now)
    observed.ours.flush(observed.now)
    observed.ours.outbox.clear()
    observed.log.lost_inbound(observed.now, b"E", ("lost",))
    ours.close(observed.now)
    observed.turn()
    fin = next(each for each in observed.told() if not each.inbound)
    assert segment(fin.packet).flags & FIN
    assert says(fin, "CLOSE")
    assert says(fin, "FIN-WAIT-1 ·", "in flight 101 ")


def test_what_was_told_before_a_gap_is_not_told_of_what_comes_behind_it() -> None:
    observed = Observed()
    ours, _ = observed.connected()
    ours.send(bytes(100), observed.now)
    observed.send(lost=True)
    observed.wait(5.0)
    observed.send(lost=True)
    entries = list(observed.log.take(1000))
    lefts = [index for index, entry in enumerate(entries) if isinstance(entry, Left)]
    first, again = lefts[-2:]
    entries[first] = Missing(1)
    told = list(Annotator(offload=False).feed(entries))
    assert len(told) == len(lefts) - 1 + 2  # what arrived, too
    assert told[-1].packet == b"".join(entries[again].buffers)
    assert says(told[-1], "sent again, attempt 1: ")


def test_a_super_segment_that_leaves_in_pieces() -> None:
    """As a device without offload sends it: its comments are the first one's, its numbers everybody's."""
    observed = Observed(offload=True)
    ours, _ = observed.connected()
    ours.send(bytes(20_000), observed.now)
    observed.wait(0.0)
    entries = list(observed.log.take(1000))
    (buffers,) = observed.ours.outbox
    entries += [Left(observed.now, (bytes(virtio.LENGTH), piece)) for piece in from_offload(b"".join(buffers))]
    first, *others = list(Annotator(offload=True).feed(entries))[-10:]
    numbers = "ESTABLISHED · cwnd 14,480 · ssthresh not set · in flight 14,480 · rto 200 ms"
    assert says(first, "no more follows now: 5,520 bytes wait")
    assert first.comments[1:] == [numbers]
    assert [each.comments for each in others] == [[numbers]] * 9


def test_two_connections_with_the_same_numbers() -> None:
    observed = Observed()
    ends = []
    for _ in range(2):
        observed.ours.next_isn = 1000
        ends.append(observed.connected()[0])
    observed.told()
    ends[0].send(bytes(100), observed.now)
    ends[0].close(observed.now)
    observed.ours.flush(observed.now)
    observed.ours.outbox.clear()
    ends[1].send(bytes(100), observed.now)
    observed.send()
    (packet,) = observed.told()
    assert len(packet.comments) == 1
    assert says(packet, "ESTABLISHED ·", "in flight 100 ")


def test_what_is_sent_again_while_a_packet_is_taken_in() -> None:
    """Where a batch is one packet, and what it makes the host send is framed before it is settled."""
    observed = Observed()
    ours, _ = observed.connected()
    ours.send(bytes(1448), observed.now)
    observed.send(lost=True)
    ours.send(bytes(5 * 1448), observed.now)
    observed.send()
    observed.told()
    for packet in observed.from_peer():
        observed.now += 0.1
        observed.log.arrived(observed.now, packet)
        observed.ours.packet_arrives(packet, observed.now)
        observed.ours.flush(observed.now)
        observed.log.settled()
        observed.send()
    told = observed.told()
    assert not any(says(each, "sent again") for each in told if each.inbound)
    assert any(says(each, "sent again, attempt 1: ") for each in told if not each.inbound)
    assert any(says(each, "fast retransmit", "cwnd") for each in told if each.inbound)


def test_a_packet_too_short_for_its_virtio_header_is_left_as_it_is() -> None:
    observed = Observed(offload=True)
    observed.take_in(b"short")
    (told,) = observed.told()
    assert told.packet == b"short"
    assert says(told, "dropped: virtio-")


@given(st.lists(st.binary(max_size=90), max_size=5), st.booleans())
def test_whatever_arrives_is_in_the_capture(packets: list[bytes], offload: bool) -> None:
    observed = Observed(offload=offload)
    observed.take_in(*packets)
    told = [each.packet for each in observed.told()]
    assert [len(packet) for packet in told] == [
        len(packet) - virtio.LENGTH if offload and len(packet) >= virtio.LENGTH else len(packet) for packet in packets
    ]


@pytest.mark.parametrize("header", [virtio.NetHeader(virtio.NEEDS_CSUM, csum_start=65535, csum_offset=65535)])
def test_a_checksum_that_is_nowhere_is_not_filled_in(header: virtio.NetHeader) -> None:
    observed = Observed(offload=True)
    observed.take_in(virtio.emit(header) + b"\x45" + bytes(40))
    assert observed.told()[0].packet == b"\x45" + bytes(40)
