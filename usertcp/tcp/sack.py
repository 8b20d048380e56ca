"""Selective acknowledgment: what we tell (RFC 2018 §3-§4, RFC 2883), and what we are told (§5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.tcp.receive_buffer import Held
from usertcp.tcp.retransmission import Delivery
from usertcp.wire.seq import MASK, unwrap
from usertcp.wire.tcp import NO_OPTIONS, Options

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: Bytes of a SACK option with n blocks, NOPs included: 4 + 8n.
_FIXED: Final = 4
_BLOCK: Final = 8
_OPTION_SPACE: Final = 40


# -- What we tell ------------------------------------------------------------------------------------


def note_held(tcb: Connection, seq: int) -> None:
    """Data at ``seq`` was held: its block comes first in the next options (RFC 2018 §4)."""
    tcb.sack_recent = (seq, *(each for each in tcb.sack_recent if each != seq))[:4]


def note_duplicate(tcb: Connection, left: int, right: int) -> None:
    """``left`` up to ``right`` came again: the next acknowledgment reports it (RFC 2883 §4)."""
    if tcb.sack_ok and tcb.settings.dsack:
        tcb.dsack = (left, right)


def options(tcb: Connection) -> Options:
    """The SACK option of an acknowledgment that leaves now; the duplicate is reported once only."""
    if not tcb.sack_ok or not (tcb.dsack or tcb.receive_buffer.held or _lonely_fin(tcb)):
        return NO_OPTIONS
    used = 12 if tcb.timestamps else 0
    room = (_OPTION_SPACE - used - _FIXED) // _BLOCK
    blocks: list[tuple[int, int]] = []
    if tcb.dsack is not None:
        blocks.append(tcb.dsack)
        tcb.dsack = None
    for block in _held_blocks(tcb):
        if len(blocks) == room:
            break
        blocks.append(block)
    return Options(sack=tuple((left & MASK, right & MASK) for left, right in blocks))


def _held_blocks(tcb: Connection) -> list[tuple[int, int]]:
    """The ranges held, the most recently changed ones first, then from the left."""
    find = tcb.receive_buffer.find
    blocks: list[tuple[int, int]] = []
    stale = []
    for seq in tcb.sack_recent:
        held = find(seq)
        block = None if held is None else _block(tcb, held)
        if block is None or block in blocks:
            stale.append(seq)
        else:
            blocks.append(block)
    if stale:
        tcb.sack_recent = tuple(seq for seq in tcb.sack_recent if seq not in stale)
    for held in tcb.receive_buffer.held:
        if len(blocks) >= 4:
            break
        block = _block(tcb, held)
        if block not in blocks:
            blocks.append(block)
    fin = tcb.rcv_fin
    if fin is not None and _lonely_fin(tcb):
        blocks.append((fin, fin + 1))
    return blocks


def _lonely_fin(tcb: Connection) -> bool:
    """A FIN has come, but not what stands right before it."""
    fin, held = tcb.rcv_fin, tcb.receive_buffer.held
    return fin is not None and tcb.rcv_nxt < fin and not (held and held[-1].end == fin)


def _block(tcb: Connection, held: Held) -> tuple[int, int]:
    """A FIN that came behind the data is held with it: it has a sequence number like any byte."""
    return held.seq, held.end + (held.end == tcb.rcv_fin)


# -- What we are told --------------------------------------------------------------------------------


def take_blocks(
    tcb: Connection, wire_blocks: tuple[tuple[int, int], ...], ack: int, una_before: int, delivery: Delivery
) -> tuple[int, int] | None:
    """Mark what the peer holds; returns what a DSACK says arrived twice (None: there is none)."""
    blocks = [_unwrapped(block, tcb.snd_una) for block in wire_blocks]
    duplicate = blocks[0] if _is_duplicate(tcb, blocks, ack) else None
    if duplicate is not None:
        blocks = blocks[1:]
    for left, right in blocks:
        if right <= left or right > tcb.snd_nxt or right <= ack or (left <= ack and not tcb.settings.sack_at_edge):
            continue  # not of this connection's data: an old block, or a forged one
        tcb.rtx.sack(max(left, ack), right, tcb.snd_mss, delivery)
    return duplicate


def _unwrapped(block: tuple[int, int], near: int) -> tuple[int, int]:
    left = unwrap(block[0], near)
    return left, unwrap(block[1], left)


def _is_duplicate(tcb: Connection, blocks: list[tuple[int, int]], ack: int) -> bool:
    """RFC 2883 §4: the first block is a duplicate if it lies below the cumulative acknowledgment, or
    inside the second block.  Only what we did send since our SYN can be one."""
    left, right = blocks[0]
    if right <= left or left <= tcb.iss or right > tcb.snd_nxt:
        return False
    return right <= ack or (len(blocks) > 1 and blocks[1][0] <= left and right <= blocks[1][1])
