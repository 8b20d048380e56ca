"""From values to places, and the round numbers that stand beside an axis."""

from __future__ import annotations

from math import ceil, floor, log10
from typing import Final, NamedTuple, Protocol

_STEPS: Final = (1, 2, 5, 10)


class Mapping(Protocol):
    """From a value to its place, and which round values there are to name."""

    def __call__(self, value: float) -> float:
        """The place of ``value``."""

    def ticks(self, most: int) -> list[float]:
        """Round values, about ``most`` of them."""


class Scale(NamedTuple):
    """Maps ``low`` to ``start`` and ``high`` to ``end``, straight."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """From 0 or ``low`` to ``high``, at most ``most`` + 1 of them, 1, 2 or 5 times a power of ten apart."""
        low = max(self.low, 0) if self.high > 0 else self.low
        raw = (self.high - low) / most
        power = 10.0 ** floor(log10(raw))
        step = next(multiple * power for multiple in _STEPS if multiple * power >= raw * 0.999999)
        return [round(index * step, 12) for index in range(ceil(low / step - 1e-9), floor(self.high / step + 1e-9) + 1)]


class LogScale(NamedTuple):
    """Maps ``low`` to ``start`` and ``high`` to ``end``, both above 0, so that equal ratios are equally far apart.

    What is beyond the limits is mapped to them.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = log10(min(max(value, self.low), self.high) / self.low) / log10(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """1, 2 and 5 times the powers of ten between the limits, or the powers alone, at most ``most`` + 1."""
        first, last = floor(log10(self.low)), floor(log10(self.high) + 1e-9)
        values = [step * 10.0**exponent for exponent in range(first, last + 1) for step in _STEPS[:3]]
        within = [value for value in values if self.low * 0.999999 <= value <= self.high * 1.000001]
        if len(within) <= most + 1:
            return within
        powers = [10.0**exponent for exponent in range(ceil(log10(self.low) - 1e-9), last + 1)]
        return powers[:: 1 + len(powers) // (most + 1)] if len(powers) > most + 1 else powers


def bytes_labels(values: list[float]) -> list[str]:
    """Labels for amounts of bytes, all in the unit that suits the largest."""
    return _labels(values, ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B")))


_SECONDS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def time_labels(values: list[float]) -> list[str]:
    """Labels for seconds, all in the unit that suits the largest."""
    return _labels(values, _SECONDS)


def duration_labels(values: list[float]) -> list[str]:
    """Labels for seconds, each in its own unit."""
    return [label for value in values for label in _labels([value], _SECONDS)]


def _labels(values: list[float], units: tuple[tuple[float, str], ...]) -> list[str]:
    largest = max(values, default=0)
    size, unit = next((pair for pair in units if largest >= pair[0] * 0.999999), units[-1])
    return [f"{value / size:,.10g} {unit}" if value else "0" for value in values]
