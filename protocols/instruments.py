"""Ports through which actors report figures."""

from typing import Protocol


class Observer(Protocol):
    """A histogram that takes one value at a time, in base units."""

    def observe(self, value: float) -> None:
        """Records one value."""
        ...


class ChannelGauge(Protocol):
    """The figures of one channel that the heap line shows."""

    @property
    def name(self) -> str: ...
    @property
    def depth(self) -> int: ...
    @property
    def capacity(self) -> int: ...
    @property
    def dropped(self) -> int: ...


class ProcessGauges(Protocol):
    """What the machine and the runtime say of this process."""

    def heap_bytes(self) -> int:
        """Resident memory."""
        ...

    def memory_limit_bytes(self) -> int:
        """The control group's limit, else the configured one, else the machine's memory."""
        ...

    def worst_loop_lag_s(self) -> float:
        """The longest scheduler pass since the last reading of this gauge."""
        ...

    def channels(self) -> list[ChannelGauge]:
        """Every channel, in flow order."""
        ...
