from __future__ import annotations

import json
from typing import Any

from usertcp.observe.forms import KIND_NAMES
from usertcp.observe.jsonl import to_line, to_object
from usertcp.tcp.events import TYPES, Dropped, Opened, SegmentIn, SegmentOut, Transitioned
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, NO_OPTIONS, SYN, Options


def test_a_segment() -> None:
    options = Options(mss=1460, window_scale=7, sack_permitted=True)
    event = SegmentIn(1.5, 3, 4294967295, 7, SYN | ACK, 65535, 0, 1, None, options)
    assert to_object(event) == {
        "v": 1,
        "event": "segment-in",
        "time": 1.5,
        "conn": 3,
        "seq": 4294967295,
        "ack": 7,
        "flags": "SYN,ACK",
        "window": 65535,
        "length": 0,
        "ts_val": 1,
        "ts_ecr": None,
        "options": {"mss": 1460, "window_scale": 7, "sack_permitted": True},
        "urgent": 0,
        "ecn": 0,
        "scale": 0,
    }


def test_options_with_bytes_and_ranges() -> None:
    options = Options(sack=((1, 5), (9, 12)), fast_open=b"\xab\x01", unknown=((253, b"\x00\xff"),))
    event = SegmentOut(0.0, 1, 0, 0, 0, 0, 0, None, None, options, 1)
    made = to_object(event)
    assert made["options"] == {
        "sack": [[1, 5], [9, 12]],
        "fast_open": "ab01",
        "unknown": [{"kind": 253, "data": "00ff"}],
    }
    assert made["flags"] == "none"


def test_an_empty_fast_open_cookie_is_a_request_and_is_not_left_out() -> None:
    event = SegmentOut(0.0, 1, 0, 0, SYN, 0, 0, None, None, Options(fast_open=b"", mss=0), 1)
    assert to_object(event)["options"] == {"mss": 0, "fast_open": ""}


def test_addresses_of_both_families() -> None:
    event = Opened(0.0, 1, bytes([192, 0, 2, 2]), 80, bytes.fromhex("fd009293" + "0" * 23 + "1"), 5, "passive")
    made = to_object(event)
    assert made["local_address"] == "192.0.2.2"
    assert made["remote_address"] == "fd00:9293::1"


def test_a_transition_has_the_rfcs_names() -> None:
    event = Transitioned(0.0, 1, State.LISTEN, Event.RCV_SYN, State.SYN_RECEIVED, "3.10.7.2", "why")
    assert to_object(event) == {
        "v": 1,
        "event": "transition",
        "time": 0.0,
        "conn": 1,
        "state": "LISTEN",
        "cause": "rcv SYN",
        "next_state": "SYN-RECEIVED",
        "section": "3.10.7.2",
        "reason": "why",
    }


def test_a_line_is_one_line_of_ascii_whatever_is_in_it() -> None:
    line = to_line(Dropped(0.0, 0, "evil\n\x1b[2J\u202e", "3.10", 0, 0))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["reason"] == "evil\n\x1b[2J\u202e"


def test_each_kind_has_a_name_of_its_own_and_can_be_written(visit: Any) -> None:
    assert len(set(KIND_NAMES.values())) == len(TYPES)
    for event in visit.events:
        made = json.loads(to_line(event))
        assert made["event"] == KIND_NAMES[type(event)]
    assert Options() == NO_OPTIONS
