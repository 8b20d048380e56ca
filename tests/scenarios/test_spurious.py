"""Losses that were none: F-RTO (RFC 5682), Eifel (RFC 3522), DSACK (RFC 2883), and taking it back (RFC 4015)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.tcp.settings import Settings
from usertcp.tcp.status import Status
from usertcp.wire.tcp import ACK, SYN

MSS = 1460
NO_PROBES = replace(PLAIN, tlp=False, mtu_probing=False)
BOTH_CONTROLLERS = pytest.mark.parametrize("controller", ["reno", "cubic"])


def segment(number: int) -> tuple[int, int]:
    """Where our ``number``th full-sized segment begins and ends."""
    return 1 + (number - 1) * MSS, 1 + number * MSS


def segments(first: int, last: int) -> tuple[int, int]:
    return segment(first)[0], segment(last)[1]


def _windows(status: Status) -> tuple[int, int]:
    return status.cwnd, status.ssthresh


# -- F-RTO -------------------------------------------------------------------------------------------


def _delayed(settings: Settings = NO_PROBES, *, more: int = 10) -> tuple[Us, Peer, Status]:
    """Ten segments are held up on the way until the timer has fired and the first was sent again.

    The last item is the status before."""
    us, peer = established(settings, sack=True, round_trip=0.1)
    us.sends(bytes((10 + more) * MSS))
    assert len(peer.ignores()) == 10
    before = us.tcb.status()
    peer.receives(ACK, seq=1, length=MSS, after=0.3)
    assert _windows(us.tcb.status()) == (MSS, before.cwnd * (7 if settings.congestion_control == "cubic" else 5) // 10)
    return us, peer, before


@BOTH_CONTROLLERS
def test_a_timeout_for_a_delay(controller: str) -> None:
    """RFC 5682 §3.1: new data after the first acknowledgment; the second one is for what was sent once."""
    us, peer, before = _delayed(replace(NO_PROBES, congestion_control=controller))
    peer.sends(ACK, ack=segment(1)[1])
    peer.receives(ACK, seq=segment(11)[0], length=MSS)  # step 2b
    peer.receives(ACK, seq=segment(12)[0], length=MSS)
    peer.hears_nothing()
    peer.sends(ACK, ack=segment(2)[1])  # step 3b
    after = us.tcb.status()
    assert after.ca_state == "open"
    assert after.lost == 0
    assert after.cwnd >= before.cwnd
    assert after.ssthresh == before.ssthresh
    assert us.counted("recoveries-undone") == 1
    assert us.counted("retransmissions") == 1
    us.waits(0.1)
    peer.sends(ACK, ack=peer.rcv_nxt)
    assert us.counted("retransmissions") == 1


def test_a_timeout_for_a_loss() -> None:
    """RFC 5682 §3.1, step 3a: a duplicate acknowledgment; what was lost is sent again."""
    us, peer, _before = _delayed()
    peer.sends(ACK, ack=segment(1)[1])
    peer.receives(ACK, seq=segment(11)[0])
    peer.receives(ACK, seq=segment(12)[0])
    peer.sends(ACK, ack=segment(1)[1], blocks=[segment(11)])
    assert us.tcb.status().ca_state == "loss"
    assert us.tcb.status().ssthresh == 5 * MSS
    peer.receives(ACK, seq=segment(2)[0], length=MSS)
    assert us.counted("recoveries-undone") == 0


def test_a_duplicate_first_means_a_loss() -> None:
    """RFC 5682 §3.1, step 2a: slow start, and no look at what comes next."""
    us, peer, _before = _delayed()
    us.waits(0.1)
    peer.sends(ACK, ack=1, blocks=[segment(1)])
    peer.sends(ACK, ack=segment(1)[1])
    peer.receives(ACK, seq=segment(2)[0], length=MSS)
    assert us.tcb.status().ca_state == "loss"


def test_without_new_data_there_is_no_telling() -> None:
    """RFC 5682 §3.1, step 2b: "if ... no unsent data, ... the sender can safely revert to slow start"."""
    us, peer, _before = _delayed(more=0)
    peer.sends(ACK, ack=segment(1)[1])
    peer.receives(ACK, seq=segment(2)[0], length=MSS)
    peer.sends(ACK, ack=segment(1)[1], blocks=[segment(5)])
    assert us.tcb.status().ca_state == "loss"
    assert us.counted("recoveries-undone") == 0


def test_all_of_it_acknowledged_at_once_by_what_was_sent_again() -> None:
    """RFC 5682 §3.1, step 1: everything is covered, so nothing more is learnt."""
    us, peer, _before = _delayed()
    us.waits(0.1)
    peer.sends(ACK, ack=segment(10)[1])
    assert us.tcb.status().ca_state == "open"
    assert us.tcb.status().ssthresh == 5 * MSS
    assert us.counted("recoveries-undone") == 0


def test_f_rto_can_be_switched_off() -> None:
    us, peer, _before = _delayed(replace(NO_PROBES, frto=False))
    peer.sends(ACK, ack=segment(1)[1])
    peer.receives(ACK, seq=segment(2)[0], length=MSS)
    peer.receives(ACK, seq=segment(3)[0], length=MSS)
    peer.sends(ACK, ack=segment(2)[1])
    assert us.tcb.status().ssthresh == 5 * MSS
    assert us.counted("recoveries-undone") == 0


def test_a_second_timeout_is_no_delay() -> None:
    """RFC 5682 §3.1: not where the retransmission itself timed out... the window goes down once."""
    us, peer, _before = _delayed()
    peer.receives(ACK, seq=1, length=MSS, after=0.6)
    peer.sends(ACK, ack=segment(1)[1])
    peer.receives(ACK, seq=segment(2)[0], length=MSS)
    assert us.tcb.status().ssthresh == 5 * MSS


# -- Eifel -------------------------------------------------------------------------------------------


def _with_timestamps(*, more: int = 10) -> tuple[Us, Peer, int]:
    """Ten segments were sent, with our timestamp of the last item."""
    us, peer = meet(replace(NO_PROBES, timestamps=True, frto=False))
    us.listens()
    peer.sends(SYN, seq=0, sack=True, ts=(1, 0))
    ours = peer.receives(SYN | ACK).ts_val or 0
    us.waits(0.1)
    peer.sends(ACK, seq=1, ack=1, ts=(2, ours))
    us.tcb = us.accepts()
    us.sends(bytes((10 + more) * MSS))
    sent = peer.ignores()
    assert len(sent) == 10
    return us, peer, sent[0].ts_val or 0


def _ours(us: Us, number: int) -> int:
    return 1 + number * us.tcb.snd_mss


def test_an_echo_older_than_the_retransmission() -> None:
    """RFC 3522 §3.2: the first acknowledgment after a timeout is of the original."""
    us, peer, original = _with_timestamps()
    before = us.tcb.status()
    again = peer.receives(ACK, seq=1, after=0.3)
    assert (again.ts_val or 0) > original
    peer.sends(ACK, ack=_ours(us, 1), ts=(3, original))
    after = us.tcb.status()
    assert after.ca_state == "open"
    assert after.lost == 0
    assert after.cwnd >= before.cwnd
    assert after.ssthresh == before.ssthresh
    assert us.counted("recoveries-undone") == 1
    assert us.counted("retransmissions") == 1


def test_an_echo_of_the_retransmission() -> None:
    """RFC 3522 §3.2: the loss was real."""
    us, peer, _original = _with_timestamps()
    again = peer.receives(ACK, seq=1, after=0.3)
    us.waits(0.1)
    peer.sends(ACK, ack=_ours(us, 1), ts=(3, again.ts_val or 0))
    assert us.tcb.status().ca_state == "loss"
    assert us.counted("recoveries-undone") == 0


def test_a_fast_retransmit_is_taken_back_too() -> None:
    """RFC 3522 §3.2: the original was late, and arrives before its repetition."""
    us, peer, original = _with_timestamps()
    before = us.tcb.status()
    us.waits(0.1)
    peer.sends(ACK, ack=1, blocks=[(_ours(us, 1), _ours(us, 4))], ts=(3, original))
    assert us.tcb.status().ca_state == "recovery"
    assert us.tcb.status().ssthresh < before.ssthresh
    peer.ignores()
    us.waits(0.001)
    peer.sends(ACK, ack=_ours(us, 4), ts=(3, original))
    after = us.tcb.status()
    assert after.ca_state == "open"
    assert after.cwnd >= before.cwnd
    assert after.ssthresh == before.ssthresh


# -- DSACK -------------------------------------------------------------------------------------------


def _reordered(controller: str = "reno") -> tuple[Us, Peer, Status]:
    """Segment 1 comes after 2 to 4, and was sent again meanwhile; all of it arrives."""
    us, peer = established(replace(NO_PROBES, congestion_control=controller), sack=True, round_trip=0.1)
    us.sends(bytes(10 * MSS))
    peer.ignores()
    before = us.tcb.status()
    us.waits(0.1)
    peer.sends(ACK, ack=1, blocks=[segments(2, 4)])
    peer.receives(ACK, seq=1, length=MSS)
    assert us.tcb.status().ssthresh < before.ssthresh
    return us, peer, before


@BOTH_CONTROLLERS
def test_a_retransmission_that_arrives_beside_its_original(controller: str) -> None:
    """RFC 2883 §5.2, RFC 4015 §3: in the middle of the recovery it was for."""
    us, peer, before = _reordered(controller)
    us.waits(0.01)
    peer.sends(ACK, ack=segment(4)[1])
    assert us.tcb.status().ca_state == "recovery"
    us.waits(0.09)
    peer.sends(ACK, ack=segment(5)[1], blocks=[segment(1)])
    after = us.tcb.status()
    assert after.ca_state == "open"
    assert after.cwnd >= before.cwnd
    assert after.ssthresh == before.ssthresh
    assert us.counted("recoveries-undone") == 1


def test_also_when_recovery_is_over() -> None:
    """RFC 4015 §3: what congestion control had given up comes back."""
    us, peer, before = _reordered()
    peer.sends(ACK, ack=segment(10)[1])
    assert us.tcb.status().ca_state == "open"
    assert us.tcb.status().cwnd < before.cwnd
    us.waits(0.1)
    us.sends(bytes(2 * MSS))
    peer.ignores()
    peer.sends(ACK, ack=segment(10)[1], blocks=[segment(1)])
    after = us.tcb.status()
    assert after.cwnd >= before.cwnd
    assert after.ssthresh == before.ssthresh


def test_one_of_two_was_needed() -> None:
    """Only where every retransmission was in vain nothing was lost."""
    us, peer = established(NO_PROBES, sack=True, round_trip=0.1)
    us.sends(bytes(10 * MSS))
    peer.ignores()
    us.waits(0.1)
    peer.sends(ACK, ack=1, blocks=[segments(3, 10)])
    peer.receives(ACK, seq=segment(1)[0])
    peer.receives(ACK, seq=segment(2)[0])
    us.waits(0.1)
    peer.sends(ACK, ack=segment(10)[1], blocks=[segment(1)])
    assert us.counted("dsacks-received") == 1
    assert us.counted("recoveries-undone") == 0
    assert us.tcb.status().ssthresh == 5 * MSS


def test_a_duplicate_that_the_network_made_proves_nothing() -> None:
    """RFC 2883 §5.1: of a segment that was not sent again."""
    us, peer, _before = _reordered()
    us.waits(0.05)
    peer.sends(ACK, ack=1, blocks=[segment(3), segments(2, 6)])
    assert us.counted("dsacks-received") == 1
    assert us.counted("recoveries-undone") == 0


def test_a_loss_afterwards_is_a_loss() -> None:
    """RFC 4015 §3: the windows that came back are reduced by the next one as ever."""
    us, peer, before = _reordered()
    us.waits(0.01)
    peer.sends(ACK, ack=segment(4)[1], blocks=[segment(1)])
    assert us.tcb.status().cwnd >= before.cwnd
    peer.ignores()
    us.waits(0.2)
    peer.sends(ACK, ack=segment(4)[1], blocks=[segments(6, 10)])
    us.waits(0.2)
    assert us.tcb.status().ca_state == "recovery"
    assert us.tcb.status().ssthresh < before.cwnd
    assert peer.receives(ACK, seq=segment(5)[0], length=MSS)
