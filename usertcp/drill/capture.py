"""The packets of runs as a capture for Wireshark."""

from __future__ import annotations

from typing import Final

from usertcp.drill.outcome import Outcome, Result
from usertcp.observe.escape import for_terminal
from usertcp.observe.pcapng import Direction, Packet, PcapngWriter, Source, Stream

#: Between the end of one script and the beginning of the next, in seconds of the capture.
_GAP: Final = 1.0


class Capture:
    """Writes outcomes' packets to ``stream``, one script after the other, as seen from the stack under test.

    Each packet has the script's name as a comment, what the script says of it, and what the stack does with it and
    why; the last one of a failed script also the reason.
    """

    def __init__(self, stream: Stream) -> None:
        self._writer = PcapngWriter(stream, Source("drill"))
        self._from = 0.0

    def add(self, outcome: Outcome) -> None:
        """One more script.  Raises OSError."""
        script = for_terminal(outcome.script)
        last = len(outcome.crossings) - 1
        time = 0.0
        for index, crossing in enumerate(outcome.crossings):
            time = crossing.time
            comments = [f"{script}: {for_terminal(crossing.remark)}" if crossing.remark else script]
            comments += crossing.comments
            if index == last and outcome.result is not Result.PASSED:
                comments.append(f"{outcome.result.value}: line {outcome.line}: {outcome.reason}")
            direction = Direction.INBOUND if crossing.inbound else Direction.OUTBOUND
            nanoseconds = round((self._from + time) * 1e9)
            self._writer.packet(Packet(crossing.packet, nanoseconds, direction, comments))
        self._from += time + _GAP
        self._writer.flush()
