"""Settings of what learns markets."""

import attrs

from config.field import number


@attrs.frozen(kw_only=True)
class MarketsConfig:
    """How unknown and new markets are learned."""

    linger_s: float = number(
        30,
        at_least=0,
        at_most=300,
        doc="wait of an unknown market for others, so that they share a call",
        restart=False,
    )
    newest_interval_s: float = number(
        60, at_least=0, at_most=3_600, doc="how often the newest markets are asked for; 0: never", restart=False
    )
    retry_missing_s: float = number(
        60, at_least=1, at_most=86_400, doc="pause before an unknown market is asked again; doubles", restart=False
    )
    sweep_interval_s: float = number(
        300, at_least=10, at_most=86_400, doc="how often stored trades without market are looked for", restart=False
    )
