"""Sockets as a table, and everything about a connection as lines under it, in the spirit of ``ss -ti``.

The words are ss's where it has some; amounts and windows are bytes, times are milliseconds.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from usertcp.control.sockets import Socket
from usertcp.observe.escape import for_terminal
from usertcp.observe.names import is_set, socket_text
from usertcp.tcp.states import State
from usertcp.tcp.status import Status

_HEAD: Final = ("State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port")
_RIGHT: Final = (False, True, True, True, True)
_INDENT: Final = "    "
#: ss's names for the timers that it knows.
_TIMERS: Final = {"retransmission": "on", "keep-alive": "keepalive", "time-wait": "timewait"}


def table(shown: Iterable[Socket], *, details: bool, width: int | None) -> Iterator[str]:
    """The lines, the head first.

    ``details``: with all that is known under each.  ``width``: at most so many columns for these (None: one line).
    """
    sockets = sorted(shown, key=_order)
    rows = [_HEAD, *map(_row, sockets)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield _line(_HEAD, widths)
    for socket, row in zip(sockets, rows[1:], strict=True):
        yield _line(row, widths)
        if details:
            yield from _wrapped(_details(socket), width)


def _order(socket: Socket) -> tuple[bool, int, int]:
    """Listeners by their ports, then connections in the order in which they were opened."""
    listens = socket.state is State.LISTEN
    return not listens, socket.local_port if listens else socket.conn, socket.conn


def _row(socket: Socket) -> tuple[str, ...]:
    local = _end(socket.local_address, str(socket.local_port))
    listens = socket.state is State.LISTEN
    remote = "*:*" if listens else _end(socket.remote_address, str(socket.remote_port))
    return socket.state.value, str(socket.recv_q), str(socket.send_q), local, remote


def _end(address: bytes, port: str) -> str:
    return socket_text(address, int(port)) if address else f"*:{port}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = zip(row, widths, _RIGHT, strict=True)
    return "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells).rstrip()


def _wrapped(words: list[str], width: int | None) -> list[str]:
    if not words:
        return []
    text = " ".join(words)
    if width is None:
        return [_INDENT + text]
    return textwrap.wrap(
        text, width, initial_indent=_INDENT, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False
    )


# -- Details ----------------------------------------------------------------------------------------------


def _details(socket: Socket) -> list[str]:
    status = socket.status
    words = [f"conn:{socket.conn}"] if socket.conn else []
    words += _timers(socket)
    if status is not None:
        words += [*_agreed(status), *_times(status, socket.time), *_sending(status), *_receiving(status)]
        words += _trouble(status)
    return words


def _timers(socket: Socket) -> list[str]:
    status = socket.status
    words = []
    for name, left in sorted(socket.timers.items(), key=lambda timer: timer[1]):
        tries = 0
        if status is not None and name == "retransmission":
            tries = status.timeouts_in_row
        elif status is not None and name in ("persist", "keep-alive"):
            tries = status.unanswered_probes
        shown = for_terminal(_TIMERS.get(name, name)).replace(" ", "-")
        words.append(f"timer:({shown},{_left(left)},{tries})")
    return words


def _agreed(status: Status) -> list[str]:
    words = [word for word, agreed in (("ts", status.timestamps), ("sack", status.sack), ("ecn", status.ecn)) if agreed]
    words.append(for_terminal(status.congestion_control))
    if status.window_scaling:
        words.append(f"wscale:{status.snd_wscale},{status.rcv_wscale}")
    return words


def _times(status: Status, now: float) -> list[str]:
    words = [f"rto:{_ms(status.rto)}"]
    if status.srtt is not None:
        words.append(f"rtt:{_ms(status.srtt)}/{_ms(status.rttvar)}")
    if status.min_rtt is not None:
        words.append(f"minrtt:{_ms(status.min_rtt)}")
    if status.backoffs:
        words.append(f"backoff:{status.backoffs}")
    if status.last_sent_at is not None:
        words.append(f"lastsnd:{_ms(now - status.last_sent_at)}")
    if status.last_received_at is not None:
        words.append(f"lastrcv:{_ms(now - status.last_received_at)}")
    return words


def _sending(status: Status) -> list[str]:
    words = [f"mss:{status.snd_mss}", f"pmtu:{status.path_mtu}", f"cwnd:{status.cwnd}"]
    if is_set(status.ssthresh):
        words.append(f"ssthresh:{status.ssthresh}")
    if status.ca_state != "open":
        words.append(f"ca_state:{for_terminal(status.ca_state)}")
    words += [
        f"bytes_sent:{status.bytes_sent}",
        f"bytes_acked:{status.bytes_acked}",
        f"segs_out:{status.segments_sent}",
        f"data_segs_out:{status.data_segments_sent}",
    ]
    if status.srtt:
        words.append(f"send {_rate(status.cwnd / status.srtt)}")
    if status.pacing_rate is not None:
        words.append(f"pacing_rate {_rate(status.pacing_rate)}")
    words.append(f"snd_wnd:{status.snd_wnd}")
    return words + _named(
        unacked=(status.snd_nxt - status.snd_una) & 0xFFFFFFFF,
        notsent=status.unsent,
        sacked=status.sacked,
        lost=status.lost,
        bytes_retrans=status.retransmitted_bytes,
        retrans=status.retransmitted_segments,
        dsack_dups=status.dsacks,
    )


def _receiving(status: Status) -> list[str]:
    words = [
        f"rcvmss:{status.rcv_mss}",
        f"advmss:{status.own_mss}",
        f"bytes_received:{status.bytes_received}",
        f"segs_in:{status.segments_received}",
        f"data_segs_in:{status.data_segments_received}",
        f"rcv_space:{status.receive_buffer}",
        f"rcv_wnd:{status.rcv_wnd}",
    ]
    if status.rcv_rtt is not None:
        words.append(f"rcv_rtt:{_ms(status.rcv_rtt)}")
    return words + _named(rcv_ooopack=status.out_of_order_segments, rcv_ooo=status.out_of_order)


def _trouble(status: Status) -> list[str]:
    words = _named(ecn_marks=status.ecn_marks, ecn_reductions=status.ecn_reductions)
    if status.soft_error:
        words.append(f"soft_error:({for_terminal(status.soft_error)})")
    return words


def _named(**amounts: int) -> list[str]:
    """Those that are not 0."""
    return [f"{name}:{amount}" for name, amount in amounts.items() if amount]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3f}".rstrip("0").rstrip(".")


def _rate(bytes_per_second: float) -> str:
    return f"{bytes_per_second * 8:.0f}bps"


def _left(seconds: float) -> str:
    """As ss has it: 200ms, 1.5sec, 1min10sec."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}sec".replace(".0sec", "sec")
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}min{f'{rest}sec' if rest else ''}"
