"""Points in time that are none, in seconds; for "never" in the future there is :data:`math.inf`."""

from __future__ import annotations

from math import inf
from typing import Final

#: Before anything that happened.  One object for all: each ``-inf`` that is spelled out makes another.
LONG_AGO: Final = -inf
