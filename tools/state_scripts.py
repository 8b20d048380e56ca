"""What RFC 9293 §3.10.7 asks of every state for every segment at every place in the window, as scripts.

Each function below is one paragraph of the RFC: it gets the case and says which segment answers, in which state
the connection is afterwards, and why.  Nothing here knows our implementation; where the RFC leaves a choice,
the text of the script says which one is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

#: The peer's initial sequence number, its window, and ours while nothing has arrived (no window scaling).
IRS: Final = 1000
WINDOW: Final = 65535
DATA: Final = 100

SEGMENTS: Final = {
    # name: (flags, length of its text)
    "syn": ("S", 0),
    "syn-ack": ("S.", 0),
    "ack": (".", 0),
    "rst": ("R", 0),
    "rst-ack": ("R.", 0),
    "fin-ack": ("F.", 0),
    "fin": ("F", 0),
    "syn-fin": ("SF", 0),
    "data": ("P.", DATA),
}

PLACES: Final = {
    "left": "left of the window",
    "left-edge": "at its left edge",
    "middle": "in its middle",
    "right-edge": "at its right edge",
    "right": "right of it",
}

STATES: Final = (
    "closed", "listen", "syn-sent", "syn-received", "established", "fin-wait-1", "fin-wait-2", "close-wait",
    "closing", "last-ack", "time-wait",
)  # fmt: skip

#: The states of tcp_info.
TCPI: Final = {
    "established": "TCP_ESTABLISHED",
    "syn-sent": "TCP_SYN_SENT",
    "syn-received": "TCP_SYN_RECV",
    "fin-wait-1": "TCP_FIN_WAIT1",
    "fin-wait-2": "TCP_FIN_WAIT2",
    "closed": "TCP_CLOSE",
    "close-wait": "TCP_CLOSE_WAIT",
    "last-ack": "TCP_LAST_ACK",
    "closing": "TCP_CLOSING",
}


@dataclass(frozen=True)
class Case:
    """One script: a state, a segment, and where it stands."""

    state: str
    segment: str
    place: str

    @property
    def flags(self) -> str:
        return SEGMENTS[self.segment][0]

    @property
    def text(self) -> int:
        return SEGMENTS[self.segment][1]

    @property
    def length(self) -> int:
        """SEG.LEN: SYN and FIN count."""
        return self.text + ("S" in self.flags) + ("F" in self.flags)

    @property
    def peer_finished(self) -> bool:
        return self.state in ("close-wait", "closing", "last-ack", "time-wait")

    @property
    def we_finished(self) -> bool:
        return self.state in ("fin-wait-1", "fin-wait-2", "closing", "last-ack", "time-wait")

    @property
    def rcv_nxt(self) -> int:
        return IRS + 1 + self.peer_finished

    @property
    def snd_nxt(self) -> int:
        return 1 + self.we_finished

    @property
    def seq(self) -> int:
        """SEG.SEQ."""
        return {
            "left": self.rcv_nxt - 200,
            "left-edge": self.rcv_nxt,
            "middle": self.rcv_nxt + 30000,
            "right-edge": self.rcv_nxt + WINDOW - max(1, self.length),
            "right": self.rcv_nxt + WINDOW + 1000,
        }[self.place]

    @property
    def acceptable(self) -> bool:
        """Table 6 of §3.10.7.4."""
        return self.place in ("left-edge", "middle", "right-edge")


@dataclass
class Outcome:
    """What must happen."""

    why: str
    #: What we send, as packetdrill writes it without time and direction; "" for nothing.
    answer: str = ""
    #: The state afterwards.
    after: str = ""
    #: The time of the answer after the segment.
    delay: str = "+0"
    #: Lines after it that show more.
    then: list[str] = field(default_factory=list)


def scripts() -> Iterator[tuple[str, str]]:
    """(path below the folder, text) of every script."""
    for state in STATES:
        for segment in SEGMENTS:
            for place in PLACES:
                case = Case(state, segment, place)
                yield f"{state}/{segment}-{place}.pkt", _script(case)


def expected(case: Case) -> Outcome:
    """What §3.10.7 says of it."""
    if case.state == "closed":
        return _closed(case)
    if case.state == "listen":
        return _listen(case)
    if case.state == "syn-sent":
        return _syn_sent(case)
    return _other_states(case)


# -- §3.10.7.1 ---------------------------------------------------------------------------------------


def _closed(case: Case) -> Outcome:
    if "R" in case.flags:
        return Outcome("§3.10.7.1: an incoming segment containing a RST is discarded.")
    if "." in case.flags:
        return Outcome("§3.10.7.1: <SEQ=SEG.ACK><CTL=RST>.", answer=f"R {_ack(case)}:{_ack(case)}(0) win 0")
    return Outcome(
        "§3.10.7.1: the ACK bit is off: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>.",
        answer=f"R. 0:0(0) ack {_seq(case) + case.length} win 0",
    )


# -- §3.10.7.2 ---------------------------------------------------------------------------------------


def _listen(case: Case) -> Outcome:
    flags, seq = case.flags, _seq(case)
    if "R" in flags:
        return Outcome("§3.10.7.2, first: a RST that comes to LISTEN cannot be for anything we sent: ignored.")
    if "." in flags:
        return Outcome(
            "§3.10.7.2, second: an acknowledgment is bad while still in LISTEN: <SEQ=SEG.ACK><CTL=RST>.",
            answer=f"R {_ack(case)}:{_ack(case)}(0) win 0",
        )
    if "S" not in flags:
        return Outcome("§3.10.7.2, fourth: neither RST, ACK nor SYN: dropped.")
    why = "§3.10.7.2, third: <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>, and SYN-RECEIVED"
    if "F" in flags:
        why += "; the FIN that came with the SYN waits until the connection is established"
        ack = f"{seq + 2}:{seq + 2}(0) ack 1 win {WINDOW}"
        opened = [f"+0 < . {ack}", f"+0 > . 1:1(0) ack {seq + 2} win {WINDOW}", "+0 accept(3, ..., ...) = 4"]
        opened += ["+0 read(4, ..., 100) = 0", "+0 %{ assert tcpi_state == TCP_CLOSE_WAIT, tcpi_state }%"]
    else:
        opened = [f"+0 < . {seq + 1}:{seq + 1}(0) ack 1 win {WINDOW}", "+0 accept(3, ..., ...) = 4"]
        opened += ["+0 %{ assert tcpi_state == TCP_ESTABLISHED, tcpi_state }%"]
    return Outcome(why + ".", answer=f"S. 0:0(0) ack {seq + 1} win {WINDOW} <mss 1460>", then=opened)


# -- §3.10.7.3 ---------------------------------------------------------------------------------------


def _syn_sent(case: Case) -> Outcome:
    """There is no window yet: the places are those of SEG.ACK around the one number it may be, ISS+1 = 1."""
    flags, ack = case.flags, _ack(case)
    after = "syn-sent"
    if "." in flags and ack != 1:
        if "R" in flags:
            return Outcome("§3.10.7.3, first: not SND.UNA < SEG.ACK =< SND.NXT, and a RST: dropped.", after=after)
        return Outcome(
            "§3.10.7.3, first: not SND.UNA < SEG.ACK =< SND.NXT: <SEQ=SEG.ACK><CTL=RST>.",
            answer=f"R {ack}:{ack}(0) win 0",
            after=after,
        )
    if "R" in flags:
        if "." not in flags:
            return Outcome("§3.10.7.3, second: a RST without ACK is not for our SYN: dropped.", after=after)
        refused = "+0 connect(3, ..., ...) = -1 ECONNREFUSED (Connection refused)"
        return Outcome("§3.10.7.3, second: the ACK was acceptable: connection reset.", then=[refused], after="closed")
    if "S" not in flags:
        return Outcome("§3.10.7.3, fifth: neither SYN nor RST: dropped.", after=after)
    seq = _seq(case)
    if "." in flags:
        return Outcome(
            "§3.10.7.3, fourth: our SYN is acknowledged: ESTABLISHED, and <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>.",
            answer=f". 1:1(0) ack {seq + 1} win {WINDOW}",
            after="established",
        )
    why = "§3.10.7.3, fourth: a SYN without ACK: simultaneous open, SYN-RECEIVED, <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>"
    answer = f"S. 0:0(0) ack {seq + 1} win {WINDOW} <mss 1460>"
    if "F" in flags:
        return Outcome(
            why + "; the FIN waits until the connection is established.",
            answer=answer,
            then=[
                f"+0 < . {seq + 2}:{seq + 2}(0) ack 1 win {WINDOW}",
                f"+0 > . 1:1(0) ack {seq + 2} win {WINDOW}",
            ],
            after="close-wait",
        )
    return Outcome(
        why + ".",
        answer=answer,
        then=[
            "+0 %{ assert tcpi_state == TCP_SYN_RECV, tcpi_state }%",
            f"+0 < . {seq + 1}:{seq + 1}(0) ack 1 win {WINDOW}",
        ],
        after="established",
    )


# -- §3.10.7.4 ---------------------------------------------------------------------------------------


def _other_states(case: Case) -> Outcome:
    if not case.acceptable:
        return _unacceptable(case)
    if "R" in case.flags:
        return _rst(case)
    if "S" in case.flags:
        return _syn(case)
    if "." not in case.flags:
        return Outcome("§3.10.7.4, fifth: the ACK bit is off: dropped.", after=case.state)
    return _ack_and_text(case)


def _unacceptable(case: Case) -> Outcome:
    if "R" in case.flags:
        return Outcome("§3.10.7.4, first: not acceptable, and a RST: dropped.", after=case.state)
    if _reopens(case):
        return _new_connection(case)
    return Outcome(
        "§3.10.7.4, first: not acceptable: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>.",
        answer=_our_ack(case),
        after=case.state,
    )


def _rst(case: Case) -> Outcome:
    if case.state == "time-wait":
        return Outcome(
            "RFC 1337 §3 (F1), our choice by default: a RST does not end TIME-WAIT, and is dropped.", after=case.state
        )
    if case.place != "left-edge":
        return Outcome(
            "§3.10.7.4, second: in the window but not at RCV.NXT: a challenge ACK.",
            answer=_our_ack(case),
            after=case.state,
        )
    if case.state == "syn-received":
        return Outcome("§3.10.7.4, second: a passive OPEN returns to LISTEN; the user is not told.", after="listen")
    if case.state in ("closing", "last-ack"):
        return Outcome("§3.10.7.4, second: at RCV.NXT: CLOSED, and nothing to tell the user.", after="closed")
    return Outcome(
        "§3.10.7.4, second: at RCV.NXT: connection reset.",
        # POSIX has a broken pipe where the peer had said that it is done.
        then=["+0 write(4, ..., 10) = -1 EPIPE (Broken pipe)"]
        if case.state == "close-wait"
        else ["+0 read(4, ..., 10) = -1 ECONNRESET (Connection reset by peer)"],
        after="closed",
    )


def _syn(case: Case) -> Outcome:
    if case.state == "syn-received":
        return Outcome(
            "§3.10.7.4, fourth: a SYN in the window of a passive OPEN: it returns to LISTEN.", after="listen"
        )
    if _reopens(case):
        return _new_connection(case)
    return Outcome(
        "§3.10.7.4, fourth (RFC 5961 §4): a SYN on a synchronized connection: a challenge ACK.",
        answer=_our_ack(case),
        after=case.state,
    )


def _reopens(case: Case) -> bool:
    """MAY-2: a SYN beyond the old connection's numbers; sequence numbers have a direction, so half of all are."""
    return case.state == "time-wait" and case.segment in ("syn", "syn-fin") and case.place != "left"


def _new_connection(case: Case) -> Outcome:
    return Outcome(
        "§3.6.1 (MAY-2): a SYN beyond the numbers of the connection before reopens it from TIME-WAIT.",
        answer=f"S. 0:0(0) ack {case.seq + 1} win {WINDOW} <mss 1460>",
    )


def _ack_and_text(case: Case) -> Outcome:
    out_of_order = case.place != "left-edge"
    if case.state == "last-ack":
        return Outcome("§3.10.7.4, fifth: our FIN is acknowledged: CLOSED.", after="closed")
    if case.state == "closing":
        return Outcome(
            "§3.10.7.4, fifth: our FIN is acknowledged: TIME-WAIT; what may come with it after the FIN is ignored.",
            after="time-wait",
        )
    if case.state == "time-wait":
        return _late(case)
    reached = {"fin-wait-1": "fin-wait-2", "syn-received": "established"}.get(case.state, case.state)
    if case.segment == "ack":
        return Outcome("§3.10.7.4, fifth: the acknowledgment is taken; nothing to answer.", after=reached)
    if case.state == "close-wait":
        return Outcome("§3.10.7.4, seventh and eighth: nothing can follow the peer's FIN: ignored.", after=reached)
    if out_of_order:
        return Outcome(
            "RFC 5681 §4.2: out of order: an immediate duplicate ACK.", answer=_our_ack(case), after=reached
        )
    if case.segment == "fin-ack":
        after = {"fin-wait-2": "time-wait"}.get(reached, "close-wait")
        return Outcome(
            "§3.10.7.4, eighth: the FIN is acknowledged, and the state moves on.",
            answer=f". {case.snd_nxt}:{case.snd_nxt}(0) ack {case.rcv_nxt + 1}",
            after=after,
        )
    return Outcome(
        "§3.10.7.4, seventh: the text is taken, and acknowledged (delayed: §3.8.6.3).",
        answer=f". {case.snd_nxt}:{case.snd_nxt}(0) ack {case.rcv_nxt + DATA}",
        delay="+.04",
        after=reached,
    )


def _late(case: Case) -> Outcome:
    if case.segment == "ack":
        if case.place == "left-edge":
            return Outcome("§3.10.7.4, fifth: nothing new in it; nothing to answer.", after=case.state)
        return Outcome(
            "§3.10.7.4, fifth: only the peer's FIN could come; anything else is answered as an old duplicate.",
            answer=_our_ack(case),
            after=case.state,
        )
    return Outcome(
        "§3.10.7.4, fifth: only the peer's FIN could come; what claims to follow it is acknowledged and dropped.",
        answer=_our_ack(case),
        after=case.state,
    )


# -- The text of a script ----------------------------------------------------------------------------

_LISTENING: Final = (
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
    "+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
    "+0 bind(3, ..., ...) = 0",
    "+0 listen(3, 1) = 0",
)
_SYN: Final = (
    f"+0 < S {IRS}:{IRS}(0) win {WINDOW} <mss 1460>",
    f"+0 > S. 0:0(0) ack {IRS + 1} win {WINDOW} <mss 1460>",
)
_OPEN: Final = (
    f"+.1 < . {IRS + 1}:{IRS + 1}(0) ack 1 win {WINDOW}",
    "+0 accept(3, ..., ...) = 4",
)
_WE_CLOSE: Final = ("+0 shutdown(4, SHUT_WR) = 0", f"+0 > F. 1:1(0) ack {IRS + 1} win {WINDOW}")


def _peer_closes(ack: int, ours: int) -> tuple[str, str]:
    return (
        f"+0 < F. {IRS + 1}:{IRS + 1}(0) ack {ack} win {WINDOW}",
        f"+0 > . {ours}:{ours}(0) ack {IRS + 2}",
    )


def _setup(state: str) -> list[str]:
    if state == "closed":
        return []
    if state == "syn-sent":
        return [
            "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
            "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
            "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)",
            f"+0 > S 0:0(0) win {WINDOW} <...>",
        ]
    lines = [*_LISTENING]
    if state == "listen":
        return lines
    lines += _SYN
    if state == "syn-received":
        return lines
    lines += _OPEN
    fin_acknowledged = f"+0 < . {IRS + 1}:{IRS + 1}(0) ack 2 win {WINDOW}"
    lines += {
        "established": [],
        "fin-wait-1": [*_WE_CLOSE],
        "fin-wait-2": [*_WE_CLOSE, fin_acknowledged],
        "close-wait": [*_peer_closes(1, 1)],
        "closing": [*_WE_CLOSE, *_peer_closes(1, 2)],
        "last-ack": [
            *_peer_closes(1, 1),
            "+0 shutdown(4, SHUT_WR) = 0",
            f"+0 > F. 1:1(0) ack {IRS + 2}",
        ],
        "time-wait": [*_WE_CLOSE, fin_acknowledged, *_peer_closes(2, 2)],
    }[state]
    return lines


def _seq(case: Case) -> int:
    """SEG.SEQ; where there is no window, numbers from all over."""
    if case.state in ("closed", "listen", "syn-sent"):
        return {"left": 0, "left-edge": 1, "middle": 30000, "right-edge": WINDOW, "right": 4000000000}[case.place]
    return case.seq


def _ack(case: Case) -> int:
    """SEG.ACK: everything we sent; in SYN-SENT, the places are its."""
    if case.state == "syn-sent":
        return {"left": 4294967295, "left-edge": 0, "middle": 1, "right-edge": 2, "right": 60000}[case.place]
    return 5000 if case.state in ("closed", "listen") else case.snd_nxt


def _our_ack(case: Case) -> str:
    return f". {case.snd_nxt}:{case.snd_nxt}(0) ack {case.rcv_nxt}"


def _segment(case: Case) -> str:
    seq = _seq(case)
    ack = f" ack {_ack(case)}" if "." in case.flags else ""
    options = " <mss 1460>" if "S" in case.flags else ""
    return f"{case.flags} {seq}:{seq + case.text}({case.text}){ack} win {WINDOW}{options}"


def _ending(case: Case, outcome: Outcome) -> list[str]:
    """Lines that show the state afterwards: by tcp_info where there is a socket, else by a probe."""
    if outcome.then and case.state == "listen":
        return []
    after = outcome.after
    if case.state == "syn-received" and after in ("established", "close-wait"):
        later = "+0" if outcome.delay == "+0" else "+.1"
        return [f"{later} accept(3, ..., ...) = 4", f"+0 %{{ assert tcpi_state == {TCPI[after]}, tcpi_state }}%"]
    if case.state == "syn-received" and after == "listen":
        return [
            f"+0 < . {IRS + 1}:{IRS + 1}(0) ack 1 win {WINDOW}",
            "+0 > R 1:1(0) win 0",
        ]
    if case.state == "syn-received" and after == "syn-received":
        return [f"+.6 < . {IRS + 1}:{IRS + 1}(0) ack 1 win {WINDOW}", "+0 accept(3, ..., ...) = 4"]
    if after == "time-wait":
        fin = case.rcv_nxt - case.peer_finished
        finished = fin + 1
        return [
            f"+.6 < F. {fin}:{fin}(0) ack 2 win {WINDOW}",
            f"+0 > . 2:2(0) ack {finished}",
        ]
    if after in TCPI:
        later = "+.01" if outcome.delay == "+0" else "+.1"
        return [f"{later} %{{ assert tcpi_state == {TCPI[after]}, tcpi_state }}%"]
    return []


def _script(case: Case) -> str:
    outcome = expected(case)
    name = case.state.upper()
    place = f"SEG.ACK {_ack(case)}" if case.state == "syn-sent" and "." in case.flags else PLACES[case.place]
    if case.state in ("closed", "listen") or (case.state == "syn-sent" and "." not in case.flags):
        place = f"SEG.SEQ {_seq(case)} (there is no window yet)"
    lines = [f"// {name}: {case.segment.upper().replace('-', '+')}, {place}.", f"// RFC 9293 {outcome.why}", ""]
    if outcome.why.startswith("RFC"):
        lines[1] = f"// {outcome.why}"
    setup = _setup(case.state)
    lines += setup
    if setup:
        lines.append("")
    start = "+.01" if setup else "0"
    lines.append(f"{start} < {_segment(case)}")
    if outcome.answer:
        lines.append(f"{outcome.delay} > {outcome.answer}")
    lines += outcome.then
    lines += _ending(case, outcome)
    return "\n".join(_aligned(line) for line in lines) + "\n"


def _aligned(line: str) -> str:
    if not line or line.startswith("//"):
        return line
    time, _, rest = line.partition(" ")
    return f"{time:>5} {rest}"
