"""What a comparison may be told to overlook, by name, and what each name means."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

IGNORABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ports": "source and destination port",
        "ttl": "TTL or hop limit, where the script says one",
        "tos": "TOS or traffic class, where the script says one",
        "flow-label": "IPv6 flow label, where the script says one",
        "ecn": "the ECN field of the IP header, the flags ECE, CWR and AE, and accurate ECN options",
        "psh": "the flag PSH",
        "window": "the window field, where the script says one",
        "urgent": "the flag URG and the urgent pointer",
        "options": "all TCP options: which there are, their order, values and padding",
        "option-order": "the order of TCP options, and how many nop and eol there are",
        "mss": "the value of an MSS option; it must be there",
        "wscale": "the value of a window scale option; it must be there",
        "timestamps": "both values of a timestamps option; it must be there",
        "sack": "the blocks of a SACK option; it must be there",
    }
)
