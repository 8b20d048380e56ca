"""The user timeout, and its option (RFC 9293 §3.9.1.1, RFC 5482): how long data may stay unacknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.wire.tcp import Options

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: Bounds of what a peer can make us use, in seconds (RFC 5482 §3.1: L_LIMIT, U_LIMIT).
LOWEST: Final = 100.0
HIGHEST: Final = 24 * 3600.0


def limit(tcb: Connection, *, syn: bool) -> float:
    """After how many seconds without progress the connection is given up (R2, §3.8.3)."""
    settings = tcb.settings
    r2 = settings.r2_syn if syn else settings.r2
    seconds = r2 if tcb.user_timeout is None else tcb.user_timeout
    if tcb.released and not syn and not tcb.linger:
        return min(seconds, settings.orphan_timeout)  # whatever the peer's option asked for
    return seconds


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
