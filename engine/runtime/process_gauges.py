"""Resident memory and its limit, as the operating system sees them."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

import attrs

from engine.runtime.channel import Channel
from engine.runtime.channel_statistics import ChannelStatistics
from engine.runtime.loop_lag import LoopLag
from protocols.instruments import ChannelGauge

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_CGROUP_V2 = Path("/sys/fs/cgroup")
_CGROUP_V1 = Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")
# Version 1 writes "no limit" as a huge number.
_UNLIMITED_FROM = 1 << 60


def resident_bytes() -> int:
    """Returns the resident memory of this process."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def process_age_s() -> int | None:
    """Returns for how long this process has run, or None where the system does not say."""
    try:
        # The name of the program may hold spaces and parentheses; the start is the 20th field after it.
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        up_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except OSError:
        return None
    return max(0, int(up_s - int(fields[19]) / os.sysconf("SC_CLK_TCK")))


def control_group_limit_bytes() -> int | None:
    """Returns the smallest memory limit of this process's control groups, or None."""
    limits = [limit for file in (*_v2_limit_files(), _CGROUP_V1) if (limit := _read_limit(file)) is not None]
    return min(limits, default=None)


def machine_memory_bytes() -> int:
    """Returns the memory of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES


def _v2_limit_files() -> list[Path]:
    """The group of this process and every group above it: each may set a limit."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    group = _CGROUP_V2 / own.lstrip("/")
    files = [group / "memory.max"]
    while group != _CGROUP_V2 and _CGROUP_V2 in group.parents:
        group = group.parent
        files.append(group / "memory.max")
    return files


def _read_limit(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() and int(text) < _UNLIMITED_FROM else None


@attrs.define(eq=False, kw_only=True)
class RuntimeGauges:
    """`ProcessGauges` of this process."""

    loop_lag: LoopLag
    memory_mb: int
    channels_of: Callable[[], tuple[Channel[object], ...]]
    _limit_bytes: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        configured = self.memory_mb * 1_000_000 or None
        self._limit_bytes = control_group_limit_bytes() or configured or machine_memory_bytes()

    def heap_bytes(self) -> int:
        """Resident memory."""
        return resident_bytes()

    def memory_limit_bytes(self) -> int:
        """The control group's limit, else the configured one, else the machine's memory."""
        return self._limit_bytes

    def worst_loop_lag_s(self) -> float:
        """The longest scheduler pass since the last heap line."""
        return self.loop_lag.take_worst_s()

    def channels(self) -> list[ChannelGauge]:
        """Every channel, in flow order."""
        return list[ChannelGauge](self.channel_statistics())

    def channel_statistics(self) -> list[ChannelStatistics]:
        """The full counters of every channel."""
        return [channel.statistics() for channel in self.channels_of()]
