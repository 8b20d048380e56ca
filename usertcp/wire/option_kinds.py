"""The kinds of TCP options, as IANA has them (RFC 9293 §3.2 and the RFCs beside them)."""

from __future__ import annotations

from typing import Final

END: Final = 0
NOP: Final = 1
MSS: Final = 2
WINDOW_SCALE: Final = 3  # RFC 7323 §2.2
SACK_PERMITTED: Final = 4  # RFC 2018 §2
SACK: Final = 5  # RFC 2018 §3
TIMESTAMPS: Final = 8  # RFC 7323 §3.2
USER_TIMEOUT: Final = 28  # RFC 5482 §3
FAST_OPEN: Final = 34  # RFC 7413 §4.1.1
EXPERIMENT: Final = 254
#: Which experiment an option of that kind belongs to: Fast Open before it had a kind (RFC 7413 appendix A).
FAST_OPEN_EXPERIMENT: Final = b"\xf9\x89"
