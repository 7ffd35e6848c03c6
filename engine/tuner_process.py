"""The tuner's search from the engine's side: a process of its own, asked with JSON and answered with JSON."""

from importlib.util import find_spec

import attrs
import msgspec

from config.tuner import TunerConfig
from engine.side_process import SideBusyError, SideDesk, SideProcessError
from protocols.errors import TransientError
from protocols.tuner_search import Finding, SearchOrder

KIND = "tuner search"
COMMAND = ("tuner", "search")
LIBRARY = "optuna"


def is_installed() -> bool:
    """Returns whether the optional library is there; it is not imported."""
    return find_spec(LIBRARY) is not None


@attrs.define(eq=False, kw_only=True)
class SideTunerSearch:
    """`TunerSearch`; without `side` there is nobody to search."""

    side: SideDesk | None
    config: TunerConfig

    def installed(self) -> bool:
        """Returns whether it can search."""
        return self.side is not None and is_installed()

    async def search(self, order: SearchOrder) -> list[Finding]:
        """Returns the findings. Raises `TransientError` when the process did not end well."""
        assert self.side is not None, "asked whether it is installed"
        try:
            answer = await self.side.run(
                KIND,
                COMMAND,
                stdin=msgspec.json.encode(order),
                timeout_s=self.config.timeout_s,
                memory_mb=self.config.memory_mb,
            )
            return msgspec.json.decode(answer, type=list[Finding])
        except (SideProcessError, SideBusyError, msgspec.ValidationError) as error:
            raise TransientError(f"the search failed: {error}") from None
