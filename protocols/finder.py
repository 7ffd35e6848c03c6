"""A part of the engine that is there only at times, found by those that outlive it."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Finder(Generic[T]):
    """Where jobs find what runs under a lease. Empty until somebody says how it is found."""

    def __init__(self) -> None:
        """Begins empty."""
        self._find: Callable[[], T | None] = lambda: None

    def install(self, find: Callable[[], T | None]) -> None:
        """Has it found by a function."""
        self._find = find

    def current(self) -> T | None:
        """Returns it, or None while this process has none."""
        return self._find()
