"""How an expected packet and the one that came differ, as text."""

from __future__ import annotations

from collections.abc import Iterable

from usertcp.drill.packets.describe import describe
from usertcp.drill.packets.flow import Flow
from usertcp.drill.packets.live import Difference
from usertcp.drill.packets.spell import spell
from usertcp.drill.script import Packet
from usertcp.observe.escape import for_terminal


def diff(line: str, expected: Packet, packet: bytes, flow: Flow, differences: Iterable[Difference]) -> str:
    """Lines without a line end after the last: the script's, both packets, and each field; safe for a terminal.

    ``line`` is the script's own text, from the file; "" leaves it out.
    """
    lines = [for_terminal(line.strip())] if line else []
    lines += [f"  expected: > {for_terminal(spell(expected))}", f"  actual:   > {describe(packet, flow, expected)}"]
    lines += [f"  {field}: expected {want}, actual {have}" for field, want, have in differences]
    return "\n".join(lines)
