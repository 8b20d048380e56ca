"""Everything that happens by chance in a network comes from one seed, each thing by its name.

So what one link does to its packets does not depend on what else there is.
"""

from __future__ import annotations

from hashlib import sha256


def secret(seed: int, *names: object) -> bytes:
    """32 bytes for what ``names`` name."""
    return sha256(repr((seed, *map(str, names))).encode()).digest()


def number(seed: int, *names: object) -> int:
    """A seed of its own for what ``names`` name."""
    return int.from_bytes(secret(seed, *names)[:8], "big")
