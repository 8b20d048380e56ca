"""The user timeout, and its option (RFC 9293 §3.9.1.1, RFC 5482): how long data may stay unacknowledged."""

from __future__ import annotations

from math import inf, log2
from typing import TYPE_CHECKING, Final

from usertcp.tcp.states import SYN_SENT
from usertcp.wire.tcp import Options

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection
    from usertcp.tcp.retransmission import Record
    from usertcp.tcp.settings import Settings

#: Bounds of what a peer can make us use, in seconds (RFC 5482 §3.1: L_LIMIT, U_LIMIT).
LOWEST: Final = 100.0
HIGHEST: Final = 24 * 3600.0
#: Sums of times as floats are not exact.
_EPSILON: Final = 1e-9


def limit(tcb: Connection, *, syn: bool) -> float:
    """After how many seconds without progress the connection is given up (R2, §3.8.3)."""
    settings = tcb.settings
    r2 = settings.r2_syn if syn else settings.r2
    seconds = r2 if tcb.user_timeout is None else tcb.user_timeout
    if tcb.released and not syn and not tcb.linger:
        return min(seconds, settings.orphan_timeout)  # whatever the peer's option asked for
    return seconds


def patience(tcb: Connection, *, syn: bool) -> float:
    """How long to wait at the most whatever the number of retransmissions; ``inf``: the application set no bound."""
    if tcb.user_timeout is not None:
        return limit(tcb, syn=syn)
    opening = tcb.settings.opening_timeout
    return opening if syn and opening is not None and tcb.state is SYN_SENT else inf


def expired(tcb: Connection, first: Record, now: float) -> bool:
    """The retransmission timer of ``first`` has run out: is that the last time (R2)?"""
    settings = tcb.settings
    waited = now - since(tcb)
    if first.syn:
        retries = settings.syn_retries if tcb.state is SYN_SENT else settings.syn_ack_retries
        if retries is not None:
            linear = settings.syn_linear_timeouts if tcb.state is SYN_SENT else 0
            return tcb.timeouts_in_row >= retries + linear or waited >= patience(tcb, syn=True) - _EPSILON
    elif tcb.user_timeout is None:
        tries = settings.orphan_retries if tcb.released else settings.retries
        if tries is not None and settings.count_retries:
            return tcb.rtt.backoffs >= tries
        if tries is not None:
            return now - tcb.resent_since >= time_of_retries(tries, settings) - _EPSILON
    return waited >= limit(tcb, syn=first.syn) - _EPSILON


def since(tcb: Connection) -> float:
    """Since when the application's patience is tried; ``inf``: it is not."""
    return tcb.resent_since if tcb.settings.patience_after_loss else tcb.at_risk_since


def time_of_retries(tries: int, settings: Settings) -> float:
    """How long ``tries`` retransmissions take whose timer begins with the least timeout and doubles up to the most."""
    least, most = settings.min_rto, settings.max_rto
    doublings = int(log2(most / least))
    if tries <= doublings:
        return ((2 << tries) - 1) * least
    return ((2 << doublings) - 1) * least + (tries - doublings) * most


def take_option(tcb: Connection, options: Options) -> None:
    """USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)) (RFC 5482 §3.1).

    Only where the switch is on, and not where the application has set its own (§3: CHANGEABLE).
    """
    remote = options.user_timeout
    if remote and tcb.settings.user_timeout_option and tcb.user_timeout is None:
        tcb.user_timeout = min(HIGHEST, max(tcb.settings.r2, float(remote), LOWEST))


def offered(tcb: Connection) -> int | None:
    """What our SYN says, in whole seconds."""
    if not tcb.settings.user_timeout_option:
        return None
    return max(1, round(tcb.settings.user_timeout or tcb.settings.r2))
