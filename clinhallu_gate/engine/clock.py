"""The real clock."""

import asyncio
import time


class SystemClock:
    """Implements ``ports.Clock`` with the machine's time."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary origin."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait, letting the loop work."""
        await asyncio.sleep(seconds)
