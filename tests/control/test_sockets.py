"""Sockets as values: out to JSON and back, whatever comes back; and as a table."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.control.cable import OURS, both
from usertcp.control.sockets import BadSocket, Socket, from_object, sockets, to_object
from usertcp.control.table import table
from usertcp.stack.host import Host
from usertcp.tcp.connection import Connection
from usertcp.tcp.states import State
from usertcp.tcp.status import Status

LOCAL, REMOTE = ip_address("192.0.2.2").packed, ip_address("192.0.2.1").packed
V6 = ip_address("fd00:9293::2").packed


def a_status(**changes: object) -> Status:
    host = Host([LOCAL], secret=bytes(16))
    connection: Connection = host.connect(REMOTE, 80, 0.0, local_port=40000)
    status = replace(
        connection.status(),
        state=State.ESTABLISHED,
        iss=1000,
        snd_una=2001,
        snd_nxt=4897,
        irs=7,
        rcv_nxt=8,
        srtt=0.015,
        rttvar=0.0075,
        rto=0.215,
        min_rtt=0.0001,
        timers={"retransmission": 10.2, "delayed ack": 10.04, "keep-alive": 7210.0},
        timeouts_in_row=2,
    )
    return replace(status, **changes)  # type: ignore[arg-type]


def a_socket(**changes: object) -> Socket:
    status = a_status(**changes)
    timers = {name: due - 10.0 for name, due in status.timers.items()}
    return Socket(10.0, 3, status.state, LOCAL, 40000, REMOTE, 80, 5, 2896, timers, status)


LISTENER = Socket(10.0, 0, State.LISTEN, b"", 80, b"", 0, 1, 1024, {}, None)
TIME_WAIT = Socket(10.0, 2, State.TIME_WAIT, V6, 80, V6, 65535, 0, 0, {"time-wait": 59.96}, None)


# -- JSON -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("socket", [a_socket(), a_socket(srtt=None, min_rtt=None), LISTENER, TIME_WAIT])
def test_out_to_json_and_back(socket: Socket) -> None:
    assert from_object(json.loads(json.dumps(to_object(socket)))) == socket


async def test_the_sockets_of_a_host_come_back_as_they_were(tmp_path: Path) -> None:
    async with both(tmp_path) as pair:
        listener = await pair.ours.open_listener(7)
        client = await pair.peer.open_stream(OURS, 7)
        await listener.accept()
        shown = list(sockets(pair.ours.host, lambda: 3.5)) + list(sockets(pair.peer.host, lambda: 3.5))
        assert [from_object(json.loads(json.dumps(to_object(each)))) for each in shown] == shown
        assert [each.state for each in shown] == [State.LISTEN, State.ESTABLISHED, State.ESTABLISHED]
        assert shown[2].status == client.status()


@given(st.data())
def test_what_is_no_socket_is_told_so(data: st.DataObject) -> None:
    made = json.loads(json.dumps(to_object(a_socket())))
    within = data.draw(st.sampled_from([made, made["status"]]))
    name = data.draw(st.sampled_from(sorted(within)))
    junk = st.one_of(
        st.none(), st.booleans(), st.text(), st.lists(st.integers()), st.dictionaries(st.text(), st.text())
    )
    if data.draw(st.booleans()):
        del within[name]
        with pytest.raises(BadSocket, match=f"a socket's {name} is missing or wrong"):
            from_object(made)
    else:
        within[name] = data.draw(junk)
        try:
            from_object(made)
        except BadSocket as error:
            said = str(error)
        else:
            said = ""
        assert not said or said.endswith("is missing or wrong")


# -- The table --------------------------------------------------------------------------------------------


def test_the_table() -> None:
    assert list(table([a_socket(), TIME_WAIT, LISTENER], details=False, width=None)) == [
        "State        Recv-Q  Send-Q  Local Address:Port     Peer Address:Port",
        "LISTEN            1    1024                *:80                   *:*",
        "TIME-WAIT         0       0   [fd00:9293::2]:80  [fd00:9293::2]:65535",
        "ESTABLISHED       5    2896     192.0.2.2:40000          192.0.2.1:80",
    ]


def test_the_details() -> None:
    lines = list(table([TIME_WAIT, a_socket()], details=True, width=None))
    assert lines[2] == "    conn:2 timer:(timewait,60sec,0)"
    assert lines[4] == (
        "    conn:3 timer:(delayed-ack,40ms,0) timer:(on,200ms,2) timer:(keepalive,120min,0) ts sack cubic wscale:0,8 "
        "rto:215 rtt:15/7.5 minrtt:0.1 mss:536 pmtu:1500 cwnd:5360 bytes_sent:0 bytes_acked:0 segs_out:0 "
        "data_segs_out:0 send 2858667bps snd_wnd:0 unacked:2896 lost:1 rcvmss:0 advmss:1460 bytes_received:0 "
        "segs_in:0 data_segs_in:0 rcv_space:262144 rcv_wnd:0"
    )


def test_the_details_are_folded_to_the_width() -> None:
    lines = list(table([a_socket()], details=True, width=60))[2:]
    assert len(lines) > 3
    assert all(line.startswith("    ") and len(line) <= 60 for line in lines)


def test_what_a_peer_could_have_written_is_escaped() -> None:
    text = "\n".join(
        table([a_socket(soft_error="\x1b[2J", congestion_control="\x1b]0;", ca_state="\r")], details=True, width=None)
    )
    assert "\x1b" not in text
    assert "\r" not in text
    assert r"soft_error:(\x1b[2J)" in text
