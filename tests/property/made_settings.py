"""Settings of strategies at random: everything that the fields allow, and nothing that contradicts itself."""

from decimal import Decimal
from typing import Any

import attrs
from hypothesis import strategies as st

from protocols.strategies import StrategySettings
from protocols.timestamps import EARLIEST_MS, LATEST_MS

FIELDS = {field.name: field for field in attrs.fields(StrategySettings)}
PAIRS = (
    ("price_min", "price_max"),
    ("min_bet", "max_bet"),
    ("min_trader_win_rate", "max_trader_win_rate"),
    ("min_edge", "max_edge"),
    ("min_conviction", "max_conviction"),
    ("min_original_trade_usd", "max_original_trade_usd"),
)
# What a database and a file can hold; quotes, line breaks and control characters come often.
CHARACTERS = st.one_of(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), st.sampled_from("\"'\\\n\r\t\x7f\x1b#=[]{}é𝄞,")
)


def values_of(name: str) -> st.SearchStrategy[Any]:
    """Values that one setting may have."""
    rule = FIELDS[name].metadata
    kind = rule["kind"]
    if kind == "decimal":
        values = st.one_of(
            st.sampled_from([rule["low"], rule["high"]]),
            st.decimals(rule["low"], rule["high"], places=rule["places"]),
        ).map(_plain)
    elif kind == "whole":
        values = st.integers(rule["low"], rule["high"])
    elif kind == "flag":
        values = st.booleans()
    elif kind == "choice":
        values = st.sampled_from(list(rule["options"]))
    elif kind == "text":
        values = st.text(CHARACTERS, max_size=min(12, rule["chars_max"]))
    elif kind == "wallets":
        values = st.lists(st.integers(0, 16**40 - 1).map(lambda n: f"0x{n:040x}"), max_size=3, unique=True).map(tuple)
    elif kind == "words":
        words = st.text(CHARACTERS, min_size=1, max_size=6).map(str.strip).filter(bool)
        values = st.lists(words, max_size=3, unique=True).map(tuple)
    else:
        values = st.integers(EARLIEST_MS, LATEST_MS - 1)
    return st.none() | values if rule.get("optional") else values


@st.composite
def made_settings(draw: st.DrawFn) -> StrategySettings:
    """Settings of which a few differ from the defaults, or all."""
    names = draw(st.one_of(st.just(list(FIELDS)), st.lists(st.sampled_from(list(FIELDS)), max_size=6, unique=True)))
    values = {name: draw(values_of(name)) for name in names}
    for low, high in (*PAIRS, ("start_date", "end_date")):
        least, most = (values.get(name, FIELDS[name].default) for name in (low, high))
        if least is not None and most is not None and least > most:
            values[low], values[high] = most, least
    settings = StrategySettings(**values)
    if settings.start_date is not None and settings.start_date == settings.end_date:
        settings = attrs.evolve(settings, end_date=None)
    if settings.use_model and settings.model_threshold is None:
        settings = attrs.evolve(settings, model_threshold=Decimal("0.5"))
    return settings


def _plain(value: Decimal) -> Decimal:
    """As settings keep numbers: 0.25, not 0.2500, and never minus zero."""
    if value == value.to_integral_value():
        return abs(value.quantize(Decimal(1))) if value == 0 else value.quantize(Decimal(1))
    return value.normalize()
