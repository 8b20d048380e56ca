"""What the codecs read: bytes that somebody else owns, copied only where a value must outlive them."""

from __future__ import annotations

from typing import TypeAlias

#: ``bytes``, or a ``memoryview`` of unsigned bytes (format "B", one dimension).
Buffer: TypeAlias = bytes | memoryview
