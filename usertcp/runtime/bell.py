"""A wake-up for one task."""

from __future__ import annotations

import trio


class Bell:
    """Wakes one task; rung while nobody waits, it wakes the next wait at once."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """Wake the task, now or when it waits next."""
        self._event.set()

    async def wait(self) -> None:
        """Until it rings, or has rung since the last wait."""
        await self._event.wait()
        self._event = trio.Event()
