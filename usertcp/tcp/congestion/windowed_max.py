"""The largest value of the last few rounds."""

from __future__ import annotations


class WindowedMax:
    """The maximum over a window of rounds; ``best`` is 0 before the first value.

    A round without values does not age what is there: with nothing newer, the old maximum still is the
    best that is known.
    """

    __slots__ = ("_round", "_values", "best")

    def __init__(self, rounds: int) -> None:
        self._values = [0.0] * rounds
        self._round = 0
        self.best = 0.0

    def add(self, value: float, round_number: int) -> None:
        """Rounds are counted up; ``value`` belongs to ``round_number``, the newest so far."""
        values = self._values
        slot = round_number % len(values)
        if round_number != self._round:
            for passed in range(min(round_number - self._round, len(values))):
                values[slot - passed] = 0.0
            self._round = round_number
            values[slot] = value
            self.best = max(values)
        elif value > values[slot]:
            values[slot] = value
            self.best = max(self.best, value)
