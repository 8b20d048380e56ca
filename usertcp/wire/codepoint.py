"""The ECN field: the two low bits of IPv4's TOS and IPv6's traffic class (RFC 3168 §5)."""

from __future__ import annotations

from typing import Final

FIELD: Final = 3

NOT_ECT: Final = 0
ECT_1: Final = 1
ECT_0: Final = 2
CE: Final = 3
