"""The features of a model in their order, with the range in which each makes sense. Whoever changes them raises the version."""

from actors.rules.market_kind import NICHES

FEATURE_VERSION = 1
"""Of names, order and meaning. A model of another version is never asked."""
_LOG_COUNT = (0.0, 40.0)
_EDGE = (-1.0, 1.0)
_SHARE = (-1.0, 1.0)
_FLAG = (0.0, 1.0)
_MINUTES = (-20.0, 20.0)
"""ln(1 + minutes): 20 are nine centuries."""
_RANGES: dict[str, tuple[float, float]] = {
    "price": (0.0, 1.0),
    "logit_price": (-45.0, 45.0),
    "log_usd": (-30.0, 40.0),
    "has_record": _FLAG,
    "has_average": _FLAG,
    "log_conviction": (-40.0, 40.0),
    **{
        f"{window}_{name}": bounds
        for window in ("lifetime", "d30", "d7")
        for name, bounds in (("edge", _EDGE), ("log_resolved", _LOG_COUNT), ("log_trades", _LOG_COUNT), ("roi", _SHARE))
    },
    "d30_change": _SHARE,
    "d7_change": _SHARE,
    **{
        f"{group}_{name}": bounds
        for group in ("bracket", "niche", "kind")
        for name, bounds in (("edge", _EDGE), ("log_resolved", _LOG_COUNT))
    },
    "has_market": _FLAG,
    "has_end": _FLAG,
    "log_minutes_to_end": _MINUTES,
    "has_start": _FLAG,
    "log_minutes_to_start": _MINUTES,
    **{f"niche_{name.lower()}": _FLAG for name in NICHES},
    **{
        f"structure_{name}": _FLAG
        for name in ("head_to_head", "standard", "yes_no", "spread", "prop", "over_under")
    },
    "buys_yes": _FLAG,
    "buys_no": _FLAG,
}  # fmt: skip
FEATURES = tuple(_RANGES)
LOWEST = tuple(low for low, _ in _RANGES.values())
HIGHEST = tuple(high for _, high in _RANGES.values())
