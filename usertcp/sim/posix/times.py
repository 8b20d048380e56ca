"""Moments, in seconds."""

from __future__ import annotations

from typing import Final

#: A moment this close has come: times are sums of floats.
EPSILON: Final = 1e-9
