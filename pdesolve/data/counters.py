"""Numbers that processes take from a common pile."""

from __future__ import annotations

from typing import Protocol


class Counter(Protocol):
    """Gives each number to one process only."""

    def take(self) -> int:
        """The next of 0, 1, 2, ..., which no other process gets; waits for nobody."""

    def close(self) -> None:
        """Free what was taken (collective)."""


class OwnCounter:
    """The counter of a process alone."""

    def __init__(self) -> None:
        self._next = 0

    def take(self) -> int:
        """The next number."""
        self._next += 1
        return self._next - 1

    def close(self) -> None:
        """Nothing to free."""
