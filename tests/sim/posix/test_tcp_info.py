"""``struct tcp_info``: the layout is held to the headers of this machine, the meaning to what Linux 6.18 told."""

from __future__ import annotations

import re
from pathlib import Path
from struct import Struct
from sys import byteorder

import pytest

from tests.sim.posix.peer import OUR_ISN, PLAIN, Peer, accepted, asleep, connecting, listener, machine, still_asleep
from usertcp.sim.posix import Machine, tcp_info
from usertcp.sim.posix import constants as c
from usertcp.tcp.settings import Settings
from usertcp.wire.tcp import ACK, FIN, RST, SYN, Options

#: An int for setsockopt().
ONE = (1).to_bytes(4, byteorder)
HEADER = Path("/usr/include/linux/tcp.h")


def info(us: Machine, fd: int) -> dict[str, int]:
    return tcp_info.fields(us.getsockopt(fd, c.SOL_TCP, c.TCP_INFO, 1000), us.personality)


def test_each_field_stands_alone() -> None:
    names = list(tcp_info.fields(bytes(tcp_info.size())))
    assert len(names) == len(set(names))
    for name in names:
        alone = tcp_info.fields(tcp_info.pack({name: 1}))
        assert {other for other, value in alone.items() if value} == {name}
        everything_else = tcp_info.pack({other: (1 << 64) - 1 for other in names if other != name})
        assert tcp_info.fields(everything_else)[name] == 0


def test_sizes() -> None:
    assert tcp_info.size() == 280  # getsockopt() of Linux 6.18 says so
    assert tcp_info.fields(bytes(104)).keys() >= {"tcpi_total_retrans"}
    assert "tcpi_pacing_rate" not in tcp_info.fields(bytes(104))
    assert "tcpi_rto" not in tcp_info.fields(bytes(10))


def _declared() -> list[tuple[str, int]]:
    """Fields and their sizes as the installed header has them, as far as it goes; bit fields left out."""
    text = HEADER.read_text()
    body = text[text.index("struct tcp_info {") :]
    body = re.sub(r"/\*.*?\*/", "", body[: body.index("\n};")], flags=re.DOTALL)
    sizes = {"__u8": 1, "__u16": 2, "__u32": 4, "__u64": 8}
    return [
        (name.strip(), sizes[kind])
        for kind, names in re.findall(r"(__u\d+)\s+([^;]+);", body)
        for name in names.split(",")
        if ":" not in name
    ]


@pytest.mark.skipif(not HEADER.exists(), reason="no kernel headers here")
def test_it_is_the_kernels_layout() -> None:
    offset = 8  # behind the bytes that hold bit fields
    for name, size in _declared():
        if size == 1:
            continue
        offset += -offset % size
        structure = bytearray(tcp_info.size())
        Struct(f"={ {2: 'H', 4: 'I', 8: 'Q'}[size] }").pack_into(structure, offset, 1)
        found = {other for other, value in tcp_info.fields(bytes(structure)).items() if value}
        assert found == {name}
        offset += size


def test_a_fresh_socket() -> None:
    us = machine()
    told = info(us, us.socket(c.AF_INET, c.SOCK_STREAM, 0))
    assert told["tcpi_state"] == c.TCP_CLOSE
    assert told["tcpi_snd_cwnd"] == 10
    assert told["tcpi_snd_ssthresh"] == 0x7FFFFFFF


def test_a_listener() -> None:
    us = machine()
    told = info(us, listener(us, backlog=7))
    assert (told["tcpi_state"], told["tcpi_unacked"], told["tcpi_sacked"]) == (c.TCP_LISTEN, 0, 7)


def test_connecting() -> None:
    us = machine()
    fd, _ = connecting(us)
    told = info(us, fd)
    assert (told["tcpi_state"], told["tcpi_options"], told["tcpi_unacked"]) == (c.TCP_SYN_SENT, 0, 1)
    assert (told["tcpi_segs_out"], told["tcpi_segs_in"], told["tcpi_rto"]) == (1, 0, 1_000_000)
    assert told["tcpi_min_rtt"] == 0xFFFFFFFF


def test_established() -> None:
    us = machine()
    fd, peer = accepted(us)
    told = info(us, fd)
    assert told["tcpi_state"] == c.TCP_ESTABLISHED
    assert told["tcpi_ca_state"] == c.TCP_CA_Open
    assert (told["tcpi_snd_mss"], told["tcpi_advmss"], told["tcpi_pmtu"]) == (1000, 1460, 1500)
    assert (told["tcpi_bytes_acked"], told["tcpi_bytes_received"]) == (0, 0)
    assert told["tcpi_snd_wnd"] == 60000
    us.advance(us.now + 0.25)
    us.write(fd, bytes(12000))
    told = info(us, fd)
    assert (told["tcpi_unacked"], told["tcpi_snd_cwnd"], told["tcpi_notsent_bytes"]) == (10, 10, 2000)
    assert told["tcpi_bytes_sent"] == 10000
    assert told["tcpi_last_data_sent"] == 0
    us.advance(us.now + 0.1)
    assert info(us, fd)["tcpi_last_data_sent"] == 100
    peer.receives()
    peer.sends(ACK, b"hello", ack=5001)
    told = info(us, fd)
    assert (told["tcpi_bytes_acked"], told["tcpi_bytes_received"]) == (5000, 5)
    assert told["tcpi_last_data_recv"] == told["tcpi_last_ack_recv"] == 0
    peer.sends(ACK | FIN)
    assert info(us, fd)["tcpi_state"] == c.TCP_CLOSE_WAIT
    us.shutdown(fd, c.SHUT_WR)
    assert info(us, fd)["tcpi_state"] == c.TCP_LAST_ACK


def test_the_round_trip_is_in_microseconds() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.write(fd, bytes(1000))
    us.advance(us.now + 0.125)
    peer.receives()
    peer.sends(ACK)
    told = info(us, fd)
    assert told["tcpi_min_rtt"] == 0  # the handshake took no time
    assert told["tcpi_rtt"] == 125_000 // 8
    assert told["tcpi_rto"] > 200_000


def test_a_connection_that_its_peer_opened_does_not_count_its_syn() -> None:
    us = machine()
    fd, peer = connecting(us)
    peer.answers_syn()
    assert info(us, fd)["tcpi_bytes_acked"] == 1
    peer.receives()
    fd, _ = accepted(us)
    assert info(us, fd)["tcpi_bytes_acked"] == 0


def test_segments_are_counted_as_they_are_on_the_wire() -> None:
    us = machine()
    fd, peer = accepted(us)
    told = info(us, fd)
    assert (told["tcpi_segs_in"], told["tcpi_segs_out"], told["tcpi_delivered"]) == (2, 0, 1)
    us.write(fd, bytes(4000))
    told = info(us, fd)
    assert (told["tcpi_segs_out"], told["tcpi_data_segs_out"]) == (4, 4)
    peer.receives()
    peer.sends(ACK)
    peer.sends(ACK, bytes(100))
    peer.sends(ACK, bytes(100), seq=peer.snd_nxt + 100)
    told = info(us, fd)
    assert (told["tcpi_segs_in"], told["tcpi_data_segs_in"], told["tcpi_rcv_ooopack"]) == (5, 2, 1)
    us.shutdown(fd, c.SHUT_WR)
    us.advance(us.now + 0.1)
    told = info(us, fd)
    assert (told["tcpi_data_segs_out"], told["tcpi_last_data_sent"]) == (4, 100)
    before = told["tcpi_delivered"]
    peer.receives()
    peer.sends(ACK)
    assert info(us, fd)["tcpi_delivered"] == before + 1  # the FIN


def test_a_syn_ack_is_the_listeners() -> None:
    us = machine()
    listening = listener(us)
    peer = Peer(us)
    us.next_isn = OUR_ISN
    peer.sends(SYN)
    us.advance(us.now + 2)  # it goes again
    peer.receives()
    peer.sends(ACK)
    fd, _ = us.accept(listening)
    told = info(us, fd)
    assert (told["tcpi_segs_out"], told["tcpi_segs_in"]) == (0, 2)


def test_a_syn_that_was_lost() -> None:
    us = machine()
    fd, peer = connecting(us)
    us.advance(us.now + 1.5)
    told = info(us, fd)
    assert (told["tcpi_snd_mss"], told["tcpi_rcv_mss"]) == (536, 88)  # nothing is known of the peer
    assert (told["tcpi_ca_state"], told["tcpi_lost"], told["tcpi_retrans"]) == (c.TCP_CA_Loss, 1, 1)
    assert (told["tcpi_snd_cwnd"], told["tcpi_retransmits"]) == (1, 1)
    peer.our_port = peer.receives()[0].src_port
    peer.sends(SYN | ACK)
    told = info(us, fd)
    assert (told["tcpi_snd_mss"], told["tcpi_rto"], told["tcpi_segs_out"]) == (1000, 3_000_000, 3)
    assert (told["tcpi_ca_state"], told["tcpi_lost"], told["tcpi_retrans"]) == (c.TCP_CA_Open, 0, 0)


def test_probes_until_one_is_answered() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, c.SOL_TCP, c.TCP_KEEPIDLE, ONE)
    us.setsockopt(fd, c.SOL_TCP, c.TCP_KEEPINTVL, ONE)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_KEEPALIVE, ONE)
    us.advance(us.now + 2.5)
    assert info(us, fd)["tcpi_probes"] == 2
    peer.receives()
    peer.sends(ACK)
    assert info(us, fd)["tcpi_probes"] == 0


def test_what_the_time_goes_on() -> None:
    us = machine()
    fd, peer = accepted(us, window=2000)
    told = info(us, fd)
    assert (told["tcpi_busy_time"], told["tcpi_rwnd_limited"], told["tcpi_sndbuf_limited"]) == (0, 0, 0)
    us.write(fd, bytes(3000))
    us.advance(us.now + 0.125)
    told = info(us, fd)
    assert (told["tcpi_busy_time"], told["tcpi_rwnd_limited"]) == (125_000, 125_000)
    assert told["tcpi_notsent_bytes"] == 1000
    peer.window = 5000
    peer.receives()
    peer.sends(ACK)
    us.advance(us.now + 0.125)
    told = info(us, fd)
    assert (told["tcpi_busy_time"], told["tcpi_rwnd_limited"]) == (250_000, 125_000)
    peer.receives()
    peer.sends(ACK)
    us.advance(us.now + 0.125)
    assert info(us, fd)["tcpi_busy_time"] == 250_000


def test_our_own_buffer_is_to_blame() -> None:
    us = machine()
    fd, _ = accepted(us)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_SNDBUF, (4000).to_bytes(4, byteorder))
    us.fcntl(fd, c.F_SETFL, c.O_RDWR)
    sleeping = asleep(us.write, fd, bytes(20000))
    us.advance(us.now + 0.125)
    still_asleep(sleeping)
    told = info(us, fd)
    assert (told["tcpi_busy_time"], told["tcpi_sndbuf_limited"], told["tcpi_rwnd_limited"]) == (125_000, 125_000, 0)


def test_a_connection_that_was_reset_has_nothing_outstanding() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.write(fd, bytes(3000))
    peer.sends(RST | ACK)
    told = info(us, fd)
    assert told["tcpi_state"] == c.TCP_CLOSE
    assert (told["tcpi_unacked"], told["tcpi_notsent_bytes"]) == (0, 0)
    us.advance(us.now + 1)
    assert info(us, fd)["tcpi_busy_time"] == 0


def test_options() -> None:
    us = machine(Settings())
    listening = listener(us)
    peer = Peer(us)
    us.next_isn = OUR_ISN
    peer.sends(SYN, options=Options(mss=1000, window_scale=7, sack_permitted=True))
    peer.receives()
    peer.sends(ACK)
    fd, _ = us.accept(listening)
    told = info(us, fd)
    assert told["tcpi_options"] == c.TCPI_OPT_SACK | c.TCPI_OPT_WSCALE
    assert told["tcpi_snd_wscale"] == 7
    assert told["tcpi_rcv_wscale"] == 8  # for 8 MiB


def test_loss() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.write(fd, bytes(3000))
    peer.receives()
    us.advance(us.now + 3)
    told = info(us, fd)
    assert told["tcpi_ca_state"] == c.TCP_CA_Loss
    assert told["tcpi_retransmits"] == told["tcpi_backoff"] >= 1
    assert told["tcpi_total_retrans"] >= 1
    assert told["tcpi_snd_cwnd"] == 1


def test_freebsd_has_its_own_numbers_and_its_own_layout() -> None:
    us = machine(PLAIN, personality="freebsd")
    fd, _ = accepted(us)
    structure = us.getsockopt(fd, c.SOL_TCP, c.TCP_INFO, 1000)
    assert len(structure) == tcp_info.size("freebsd")
    assert structure[0] == 4  # TCPS_ESTABLISHED
    told = info(us, fd)
    assert told["tcpi_state"] == 4
    assert told["tcpi_snd_wnd"] == 60000
    assert told["tcpi_snd_mss"] == 1000


def test_as_much_as_there_is_room_for() -> None:
    us = machine()
    fd, _ = accepted(us)
    assert us.getsockopt(fd, c.SOL_TCP, c.TCP_INFO, 10) == us.getsockopt(fd, c.SOL_TCP, c.TCP_INFO, 1000)[:10]
