from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.observe.scenes import SCENES
from usertcp.observe.ladder import Ladder, ladders
from usertcp.observe.lines import plain
from usertcp.observe.narrator import Telling
from usertcp.tcp.events import (
    ChallengeAck,
    Congestion,
    Dropped,
    IcmpIn,
    Joined,
    Lost,
    Opened,
    PathMtu,
    PeerSeen,
    SegmentIn,
    SegmentOut,
    StrayIn,
    TraceEvent,
)
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, FIN, PSH, RST, SYN, Options

Make = Callable[..., Any]


def _draw(events: list[TraceEvent], **options: Any) -> list[str]:
    return [plain(line) for line in ladders(events, **options)]


def _draw_live(events: list[TraceEvent], width: int = 80) -> list[str]:
    ladder = Ladder(width=width, numbered=True)
    lines = [line for event in events for line in ladder.feed(event)]
    return [plain(line) for line in lines + ladder.end()]


VISIT = """\
Connection 1: usertcp 192.0.2.2:80 ◀── peer 192.0.2.1:43211

       ms usertcp                 ◆ ours   ◇ the peer's, inferred   peer
    0.100 LISTEN       ◆ passive OPEN · RFC 9293 §3.10.1: a       │
                       │ passive OPEN waits for a peer's SYN      │
                       │                              active OPEN ◇ SYN-SENT
    0.200              │◀─ SYN seq=0 (ISN 2954113876) win=64256 ──┤
                       │   mss=1460, ws=7, sackOK, TS             │
    0.300 SYN-RECEIVED ◆ rcv SYN · RFC 9293 §3.10.7.2: a peer's   │
                       │ SYN is answered with SYN,ACK             │
    0.400              ├── SYN,ACK seq=0 (ISN 1774102233) ack=1 ─▶│
                       │   win=65535, mss=1460, ws=8, sackOK, TS  │
                       │   ack=1 is ISN 2954113876 + 1: a SYN     │
                       │   counts as one byte         rcv SYN,ACK ◇ ESTABLISHED
    0.500              │◀─ ACK seq=1 ack=1 win=64256 ─────────────┤
                       │   ack=1 is ISN 1774102233 + 1: a SYN     │
                       │   counts as one byte                     │
    0.600 ESTABLISHED  ◆ rcv ACK · RFC 9293 §3.10.7.4: our SYN is │
                       │ acknowledged: both initial sequence      │
                       │ numbers are agreed                       │
    0.700              │◀─ PSH,ACK seq=1 ack=1 len=73 win=64256 ──┤
    0.800              ├── ACK seq=1 ack=74 win=65535 ───────────▶│
    0.900              ├── PSH,ACK seq=1 ack=74 len=154 ─────────▶│
    1.000              │◀─ ACK seq=74 ack=155 win=64256 ──────────┤
                       │                                    CLOSE ◇ FIN-WAIT-1
    1.100              │◀─ FIN,ACK seq=74 ack=155 win=64256 ──────┤
    1.200 CLOSE-WAIT   ◆ rcv FIN · RFC 9293 §3.10.7.4: the peer   │
                       │ closed first: it will send no more       │
    1.300              ├── ACK seq=155 ack=75 win=65535 ─────────▶│
                       │   ack=75 is the FIN's 74 + 1: a FIN      │
                       │   counts as one byte      rcv ACK of FIN ◇ FIN-WAIT-2
    1.400 LAST-ACK     ◆ CLOSE · RFC 9293 §3.10.4: we close       │
                       │ second: a FIN follows the last byte of   │
                       │ our data                                 │
    1.500              ├── FIN,ACK seq=155 ack=75 win=65535 ─────▶│
                       │                                  rcv FIN ◇ TIME-WAIT
    1.600              │◀─ ACK seq=75 ack=156 win=64256 ──────────┤
                       │   ack=156 is the FIN's 155 + 1: a FIN    │
                       │   counts as one byte                     │
    1.700 CLOSED       ◆ rcv ACK of FIN · RFC 9293 §3.10.7.4: our │
                       │ FIN is acknowledged and the peer had     │
                       │ closed before: done                      │
    1.800              │ ended in good order                      │
1.8 ms · sent 5 segments, 154 bytes · received 6 segments, 73 bytes
"""


def test_a_whole_connection_in_80_columns(visit: Any) -> None:
    text = "\n".join(_draw(visit.events))
    ladder, _, answers = text.partition("Opened by")
    assert ladder == VISIT
    assert "Closed first  the peer, at 1.200 ms" in answers
    assert answers.splitlines()[-5:] == [
        "States, ms    usertcp CLOSED ─▶ LISTEN 0.100 ─▶ SYN-RECEIVED 0.300",
        "              ─▶ ESTABLISHED 0.600 ─▶ CLOSE-WAIT 1.200 ─▶ LAST-ACK 1.400",
        "              ─▶ CLOSED 1.700",
        "              peer ◇  CLOSED ─▶ SYN-SENT 0.200 ─▶ ESTABLISHED 0.400",
        "              ─▶ FIN-WAIT-1 1.100 ─▶ FIN-WAIT-2 1.300 ─▶ TIME-WAIT 1.500",
    ]


@pytest.mark.parametrize("width", [10, 40, 59, 60, 79, 80, 81, 99, 120, 160, 500])
@pytest.mark.parametrize("absolute", [False, True])
def test_no_line_is_longer_than_the_width(script: Make, width: int, absolute: bool) -> None:
    made = _everything(script)
    limit = min(max(width, 40), 160)
    for line in _draw(made, width=width, telling=Telling(absolute=absolute)) + _draw_live(made, width):
        assert len(line) <= limit, line


def _everything(script: Make) -> list[TraceEvent]:
    made = script(conn=12345)
    made.handshake()
    made.request()
    end = made.bulk(40)
    made.resends(end - 1460)
    for number in range(20):
        made.keeps(2000 + number, 9000, 90000)
        made.drops("a-reason-with-a-very-long-name-" * 3)
    made.goes(ACK, end, 74, options=Options(sack=((made.peer_isn + 5, made.peer_isn + 2**31),) * 4))
    made.comes(SYN, 0, options=Options(1460, 14, True, (), b"12345678", 5, ((253, b""), (254, b""))))
    made.events += [
        ChallengeAck(made.time, 12345, "a SYN on an open connection", True),
        ChallengeAck(made.time, 12345, "a SYN on an open connection", False),
        Congestion(made.time, 12345, "slow start again", 10**10, 10**10),
        IcmpIn(made.time, 12345, "host unreachable", "a hint only"),
        PathMtu(made.time, 12345, "a router on the path takes no larger packets", 1280, 1208),
        Dropped(made.time + 10**7, 0, "no-such-port", "3.10.7.1", 0, 0),
        Opened(made.time, 3, bytes(range(100, 116)), 65535, bytes(range(50, 66)), 65535, "active"),
    ]
    made.resets()
    return list(made.events)


def test_numbers_on_the_arrow_are_never_cut_off(script: Make) -> None:
    made = script()
    made.our_isn = made.peer_isn = 4_000_000_000
    made.handshake()
    made.goes(PSH | ACK, 290_000_000, 290_000_001, length=65160, segments=45)
    drawn = " ".join(_draw_live(made.events))
    for text in ("seq=290000000", "ack=290000001", "len=65160", "segments=45"):
        assert text in drawn


def test_absolute_sequence_numbers(visit: Any) -> None:
    text = "\n".join(_draw(visit.events, telling=Telling(absolute=True), width=120))
    assert "(ISN 1774102233)" not in text
    assert "SYN,ACK seq=1774102233 (ISN) ack=2954113877" in text
    assert "ack=2954113877 is ISN 2954113876 + 1: a SYN counts as one byte" in text


def test_relative_numbers_wrap(script: Make) -> None:
    made = script()
    made.our_isn = made.peer_isn = 2**32 - 1
    made.handshake()
    made.request()
    made.close()
    text = "\n".join(_draw(made.events))
    assert "FIN,ACK seq=74 ack=155" in text
    assert "ack=75 is the FIN's 74 + 1" in text


def test_a_handshake_that_was_not_seen_counts_from_its_first_segment(script: Make) -> None:
    made = script()
    made.comes(PSH | ACK, 500, 900, length=10)
    made.goes(ACK, 900, 510)
    text = "\n".join(_draw(made.events))
    assert "PSH,ACK seq=1 ack=1 len=10" in text
    assert "ACK seq=1 ack=11" in text


def test_a_ring_that_has_lost_the_beginning(visit: Any) -> None:
    text = "\n".join(_draw(visit.events[6:]))
    assert text.startswith("Connection 1: its beginning was not recorded\n")
    assert "FIN-WAIT-1" in text


def test_bulk_is_folded_and_what_follows_is_shown(script: Make) -> None:
    made = script()
    made.handshake()
    made.request()
    made.close(ack=made.bulk(3000))
    lines = _draw(made.events)
    assert len(lines) < 80
    text = " ".join(" ".join(lines).replace("│", " ").split())
    assert "… ▶ 29,990 segments, 43.8 MB; ◀ 2,998 segments, no data …" in text
    fold = next(index for index, line in enumerate(lines) if "…" in line)
    assert any("ESTABLISHED" in line and "◀─" in line for line in lines[fold:])
    assert any("sent 30,005 segments, 43.8 MB" in line for line in lines)


def test_a_short_run_is_not_folded(script: Make) -> None:
    made = script()
    made.handshake()
    made.bulk(4)
    assert not any("…" in line for line in _draw(made.events))


def test_a_retransmission_is_marked(script: Make) -> None:
    made = script()
    made.handshake()
    made.resends(1, attempt=3)
    lines = _draw(made.events, width=120)
    at = next(index for index, line in enumerate(lines) if "╌" in line)
    assert "├╌╌ ACK seq=1 ack=74 len=1460" in lines[at]
    assert "sent again, attempt 3: retransmission timeout" in lines[at + 1]
    assert any(line.endswith("1 sent again") for line in lines)


def test_many_retransmissions_are_folded_with_their_number(script: Make) -> None:
    made = script()
    made.handshake()
    for number in range(200):
        made.resends(1 + number * 1460)
        made.comes(ACK, 74, 1 + (number + 1) * 1460)
    lines = _draw(made.events)
    assert len(lines) < 70
    assert re.search(r"….* 19\d sent again", " ".join(lines))
    assert "200 sent again" in " ".join(lines)


def test_out_of_order_and_dropped_segments_are_marked(script: Make) -> None:
    made = script()
    made.handshake()
    made.keeps(2921, 1460, 1460)
    made.comes(ACK, 1, 1, length=5)
    made.drops()
    lines = _draw(made.events, width=120)
    text = "\n".join(lines)
    assert "out of order: 1,460 bytes kept until the gap before is filled" in text
    assert "dropped: old-duplicate (RFC 9293 §3.10.7.4)" in text
    assert any(line.endswith("1 out of order · 1 dropped") for line in lines)
    assert "│✗─ ACK seq=1 ack=1 len=5" in text


def test_a_reset_tells_why(script: Make) -> None:
    made = script()
    made.handshake()
    made.resets()
    text = "\n".join(_draw(made.events, width=100))
    assert "ABORT ◇ CLOSED" in text
    assert "◀─ RST seq=74 ─" in text
    assert "ended: connection reset by the peer" in text


def test_peer_changes_stand_where_they_happen(script: Make) -> None:
    made = script("active")
    made.goes(SYN, 0)
    made.comes(SYN | ACK, 0, 1)
    made.moves(Event.RCV_SYN_ACK)
    made.goes(ACK, 1, 1)
    lines = _draw(made.events, width=132)
    order = (
        "├── SYN ",
        "◇ LISTEN",
        "◇ SYN-RECEIVED",
        "◀─ SYN,ACK",
        "◆ rcv SYN,ACK",
        "├── ACK",
        "◇ ESTABLISHED",
    )
    positions = [next(i for i, line in enumerate(lines) if text in line) for text in order]
    assert positions == sorted(positions)
    assert lines[0].startswith("Connection 1: usertcp 192.0.2.2:80 ──▶ peer")


def test_live_lines_carry_the_connections_number(script: Make, visit: Any) -> None:
    other = script(conn=2)
    other.handshake()
    merged = sorted(visit.events + other.events, key=lambda event: event.time)
    lines = _draw_live(merged, 100)
    assert lines[1].startswith("Connection 1:")
    assert all(line.startswith(("#1 ", "#2 ", "Connection ", "   ")) for line in lines[1:])
    # After another connection's lines both states are said again.
    assert any(line.startswith("#1") and "SYN-RECEIVED ├──" in line for line in lines)


def test_live_forgets_a_connection_that_has_ended(visit: Any) -> None:
    ladder = Ladder(numbered=True)
    for event in visit.events:
        ladder.feed(event)
    assert not ladder.end()


def test_live_bulk_tells_its_progress_and_flush_the_rest(script: Make) -> None:
    made = script()
    made.handshake()
    made.bulk(20_000)
    ladder = Ladder(numbered=True)
    lines = [plain(line) for event in made.events for line in ladder.feed(event)]
    told = sum("…" in line and "▶" in line for line in lines)
    assert 3 <= told <= 5  # one a second
    assert ladder.flush()
    assert not ladder.flush()


def test_drops_that_belong_to_no_connection_are_listed(visit: Any) -> None:
    strays: list[TraceEvent] = [Dropped(0.0, 0, "evil\x1b[2J", "3.10.7.1", 0, 0)] * 3
    lines = _draw(strays + visit.events)
    assert lines[-4:] == ["For no connection:"] + ["— dropped: evil\\x1b[2J (RFC 9293 §3.10.7.1)"] * 3
    live = _draw_live(strays)
    assert live == ["— dropped: evil\\x1b[2J (RFC 9293 §3.10.7.1)"] * 3


def test_nothing_from_outside_reaches_the_terminal_unescaped(script: Make) -> None:
    made = script()
    made.handshake()
    made.drops("\x1b]0;evil\x07")
    made.events.append(IcmpIn(made.time, 1, "\x1b[2J", "\r\n"))
    made.comes(FIN | RST, 1)
    made.delete("\x9b31m")
    for line in _draw(made.events):
        assert line.isprintable() or not line


def test_every_kind_of_event_is_told_when_asked_for() -> None:
    events = SCENES["sack_recovery"]()
    verbose = "\n".join(_draw(events, telling=Telling(verbose=True), width=160))
    for text in (
        "retransmission timer set: due in ",
        "acknowledges 2,896 bytes",
        "round trip 20.0 ms",
        "bytes in flight",
        "win=262144 (1024·2^8)",
        " TS=",
    ):
        assert text in verbose
        assert text not in "\n".join(_draw(events, width=160))


def test_nothing_is_folded_when_asked_not_to() -> None:
    events = SCENES["bulk"]()
    lines = _draw(events, telling=Telling(unfold=True))
    arrows = sum("├─" in line or "─┤" in line for line in lines)
    assert arrows == sum(isinstance(event, (SegmentIn, SegmentOut)) for event in events)
    assert not any("…" in line for line in lines)


def test_a_wide_ladder_says_a_window_that_has_not_changed(visit: Any) -> None:
    answer = "├── PSH,ACK seq=1 ack=74 len=154"
    assert any(f"{answer} win=65535 " in line for line in _draw(visit.events, width=160))
    assert not any(f"{answer} win=" in line for line in _draw(visit.events, width=80))


def test_a_narrow_ladder_has_the_peer_s_states_between_the_rails(visit: Any) -> None:
    lines = _draw(visit.events, width=60)
    assert any(line.endswith("rcv SYN,ACK → ESTABLISHED ◇") for line in lines)
    rails = [line for line in lines if "├──" in line]
    assert {len(line) for line in rails} == {60}


def test_a_very_narrow_ladder_is_a_list(visit: Any) -> None:
    text = "\n".join(_draw(visit.events, width=45))
    assert "│" not in text
    assert "   0.800 ▶ ACK seq=1 ack=74 win=65535\n" in text
    assert "◇ peer: FIN-WAIT-1 CLOSE\n" in text


def test_a_reset_for_a_closed_port_is_an_arrow() -> None:
    lines = _draw(SCENES["closed_port"]())
    assert lines[0] == "No connection: usertcp 192.0.2.2:81 ◀── peer 192.0.2.1:40081"
    assert any("├── RST,ACK seq=1 ack=1 ─" in line for line in lines)
    live = _draw_live(SCENES["closed_port"]())
    assert any(line.startswith("—") and "├── RST,ACK" in line for line in live)


@pytest.mark.parametrize("live", [False, True])
def test_a_flood_for_no_connection_is_counted(live: bool) -> None:
    strays: list[TraceEvent] = []
    for number in range(5000):
        sockets = bytes([192, 0, 2, 2]), 81, bytes([10, 0, number >> 8, number & 255]), 1024
        strays.append(StrayIn(number / 10_000, 0, *sockets, 1, 0, SYN, 100, 0, None, None, Options(), 0, 0))
        strays.append(Dropped(number / 10_000, 0, "no-connection", "3.10.7.1", 1, 0))
    lines = _draw_live(strays) if live else _draw(strays)
    assert len(lines) < 200
    assert "4,984 more segments for no connection" in " ".join(lines)


def test_a_handshake_by_cookie_is_one_story() -> None:
    lines = _draw(SCENES["syn_cookie"]())
    assert lines[0].startswith("Connection 2: ")
    arrows = [line for line in lines if "◀─ SYN" in line or "├── SYN,ACK" in line or "◀─ ACK" in line]
    assert len(arrows) == 3
    assert not any(line.startswith("No connection") for line in lines)


def test_missing_events_are_told_where_they_are_missing(script: Make) -> None:
    made = script()
    made.handshake()
    made.events.append(Lost(made.time, 0, 1204))
    made.request()
    text = "\n".join(_draw(made.events))
    assert text.index("both") < text.index("… 1,204 events are missing here …") < text.index("len=73")
    assert "not counting what 1,204 missing events would tell" in " ".join(text.split())
    assert "— … 1,204 events are missing here …" in _draw_live(made.events)


def test_who_joins_later_counts_from_the_initial_numbers(script: Make) -> None:
    made = script()
    sockets = bytes([192, 0, 2, 2]), 80, bytes([192, 0, 2, 1]), 43211
    joined = Joined(made.time, 1, *sockets, "passive", State.ESTABLISHED, made.our_isn, made.peer_isn)
    made.state = State.ESTABLISHED
    made.events = [joined]
    made.comes(PSH | ACK, 1000, 2000, length=10)
    made.close(seq=1010, ack=2000)
    lines = _draw(made.events)
    assert lines[0] == "Connection 1: usertcp 192.0.2.2:80 ◀── peer 192.0.2.1:43211 (joined in"
    text = "\n".join(lines)
    assert "PSH,ACK seq=1000 ack=2000 len=10" in text
    assert "a SYN counts as one byte" not in text


def test_a_syn_on_an_open_connection_does_not_change_how_numbers_count() -> None:
    text = "\n".join(_draw(SCENES["challenge_ack"]()))
    assert "SYN seq=300 (ISN 31300)" in text
    assert "RST seq=1 ─" in text


def test_the_kernel_s_word_stands_on_the_peer_s_side(script: Make) -> None:
    def seen(after: str, state: State, **more: Any) -> PeerSeen:
        fields: dict[str, Any] = dict.fromkeys(PeerSeen._fields[4:])
        return PeerSeen(made.time, 1, after, state, **fields | {"timer": ""} | more)

    made = script()
    made.events.append(seen("segment-in", State.SYN_SENT, cwnd=14_480, rto=1.0))
    made.handshake()
    made.events.append(seen("segment-out", State.ESTABLISHED, cwnd=14_480, rto=0.2, srtt=0.001))
    made.request()
    made.events.append(seen("segment-out", State.ESTABLISHED, cwnd=7_240, rto=0.2, srtt=0.001, retransmitted=1))
    lines = _draw(made.events)
    assert lines[2].split("  ")[-1].strip() == "peer"
    assert "◆ ours, and the peer's as its kernel says" in lines[2]
    syn = next(index for index, line in enumerate(lines) if "◀─ SYN" in line)
    assert lines[syn - 1].endswith("◆ SYN-SENT")
    assert not any("◇" in line for line in lines)
    told = [line for line in lines if "kernel: cwnd" in line]
    assert len(told) == 2
    assert "kernel: cwnd 7,240" in told[1]


def test_what_comes_after_the_end_of_a_connection_is_told_with_it(script: Make) -> None:
    made = script()
    made.handshake()
    made.resets()
    sockets = bytes([192, 0, 2, 2]), 80, bytes([192, 0, 2, 1]), 43211
    header = (made.peer_isn + 74) % 2**32, 0, RST, 0, 0, None, None, Options(), 0, 0
    made.events.append(StrayIn(made.time + 0.001, 0, *sockets, *header))
    made.events.append(Dropped(made.time + 0.001, 0, "no-connection", "3.10.7.1", header[0], 0))
    lines = _draw(made.events)
    assert not any(line.startswith(("No connection", "For no connection")) for line in lines)
    second = next(index for index, line in enumerate(lines) if "✗─ RST seq=74" in line)
    assert "dropped: no-connection" in lines[second + 1]
    assert any("ended: connection reset by the peer" in line for line in lines[second:])
    assert any(line.startswith("No connection") for line in _draw_live(made.events))
