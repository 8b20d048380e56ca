"""What no script can say is found before anything is run."""

from __future__ import annotations

import pytest

from usertcp.drill.packets import Unbuildable, check
from usertcp.drill.parser import parse
from usertcp.drill.script import Packet, PacketEvent


def packet(text: str) -> Packet:
    action = parse(f"0 {text}", "x").events[0].action
    assert isinstance(action, PacketEvent)
    return action.packet


@pytest.mark.parametrize(("options", "excess"), [("<mss 1460,sackOK,eol>", 3), ("<mss 1460,sackOK>", 2)])
def test_what_is_expected_says_all_of_its_padding(options: str, excess: int) -> None:
    unpadded = packet(f"> S 0:0(0) {options}")
    with pytest.raises(Unbuildable, match=f"padded to 32 bits: {excess} bytes"):
        check(unpadded, 4, inbound=False)
    check(packet(f"< S 0:0(0) win 1 {options}"), 4, inbound=True)
    check(packet("> S 0:0(0) <mss 1460,sackOK,eol,eol>"), 4, inbound=False)


@pytest.mark.parametrize("text", ["< . 1:1(0) ack 1", "< . 1:1(0) ack 1 win 1 <...>"])
def test_a_segment_of_the_peer_says_all(text: str) -> None:
    with pytest.raises(Unbuildable, match="a segment of the peer's says its"):
        check(packet(text), 4, inbound=True)
    check(packet(text.replace("<", ">", 1)), 4, inbound=False)
