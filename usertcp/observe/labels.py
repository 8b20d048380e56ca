"""What is written on a segment's arrow."""

from __future__ import annotations

from usertcp.observe.conversation import Conversation, End
from usertcp.observe.names import flag_names, option_names
from usertcp.observe.story import Label
from usertcp.tcp.events import SegmentIn, SegmentOut
from usertcp.wire.tcp import ACK, RST, SYN, URG

#: The ECN field of a packet that was marked (RFC 3168 §5).
_CE = 3


class Labels:
    """How segments are labelled: ``absolute`` sequence numbers are those on the wire, else they count from the
    initial ones; ``verbose`` also has what repeats in each segment (timestamps, the window's scale, ECT)."""

    def __init__(self, *, absolute: bool, verbose: bool) -> None:
        self._absolute = absolute
        self._verbose = verbose

    def label(self, conversation: Conversation, segment: SegmentIn | SegmentOut) -> Label:
        """The label of ``segment``; remembers the window that it bears."""
        ours, theirs = conversation.ours, conversation.theirs
        sender, receiver = (ours, theirs) if isinstance(segment, SegmentOut) else (theirs, ours)
        numbers = [f"seq={self.number(sender, segment.seq)}"]
        if segment.flags & ACK:
            numbers.append(f"ack={self.number(receiver, segment.ack)}")
        if segment.length:
            numbers.append(f"len={segment.length}")
        isn = ""
        if segment.flags & SYN:
            isn = "(ISN)" if self._absolute else f"(ISN {segment.seq})"
        window, changed = "", False
        if not segment.flags & RST:
            window, changed = self._window(segment), segment.window != sender.window
            sender.window = segment.window
        rest = self._rest(segment, receiver)
        return Label(flag_names(segment.flags), tuple(numbers), isn, window, changed, tuple(rest))

    def number(self, end: End, number: int) -> int:
        """``number`` of ``end``'s sequence as the ladder counts."""
        return number if self._absolute else end.relative(number)

    def _window(self, segment: SegmentIn | SegmentOut) -> str:
        if self._verbose and segment.scale:
            return f"win={segment.window} ({segment.window >> segment.scale}·2^{segment.scale})"
        return f"win={segment.window}"

    def _rest(self, segment: SegmentIn | SegmentOut, receiver: End) -> list[str]:
        rest = []
        if isinstance(segment, SegmentOut) and segment.segments > 1:
            rest.append(f"segments={segment.segments}")
        if segment.flags & URG:
            rest.append(f"urg={segment.urgent}")
        stamps = segment.ts_val is not None
        rest += option_names(segment.options, stamps and bool(segment.flags & SYN) and not self._verbose)
        if stamps and self._verbose:
            rest.append(f"TS={segment.ts_val}/{segment.ts_ecr}")
        for start, end in segment.options.sack:
            rest.append(f"sack={self.number(receiver, start)}-{self.number(receiver, end)}")
        if segment.ecn == _CE:
            rest.append("ip=CE")
        elif segment.ecn and self._verbose:
            rest.append(f"ip=ECT({2 - segment.ecn})")
        return rest
