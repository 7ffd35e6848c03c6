"""The filters of the feed as parameters, the same for its pages and its stream of cards (domain.md §9)."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from actors.rules.feed_filter import CATEGORIES, FeedFilter
from engine.api.ft_access import wallet_id_param
from engine.api.params import Param, choice, condition_id, wallet, whole
from protocols.trades import canonical_condition_id

WALLETS_MAX = 20
USD_MAX = 10**9
HOUR_MS = 3_600_000
HOURS_MAX = 366 * 24


def filter_params() -> tuple[Param, ...]:
    """Returns the parameters."""
    return (
        attrs.evolve(wallet("wallet"), many=WALLETS_MAX, doc="only trades of these wallets, all of which one follows"),
        choice("side", "only buys or only sells", "BUY", "SELL"),
        condition_id(),
        choice("category", "only markets of this kind", *CATEGORIES),
        choice("live", "1: only markets whose game is running", "1"),
        choice("held", "1: only trades whose trader is known to hold the position still", "1"),
        _amount("usdMin", "least size of a trade, USD", USD_MAX),
        _amount("priceMin", "least price, USD a share", 1),
        _amount("priceMax", "highest price, USD a share", 1),
        whole("scoreMin", "least score of its PolySignal", at_least=0, at_most=100),
        whole("endsWithinH", "only open markets that end within so many hours", at_least=1, at_most=HOURS_MAX),
        choice("copied", "1: only what strategies of mine copied, whether I follow the trader or not", "1"),
        wallet_id_param("strategy", "only what this strategy of mine copied"),
    )


def filter_of(params: Mapping[str, Any]) -> FeedFilter:
    """Returns the filter that the parameters ask for."""
    condition, hours = params["conditionId"], params["endsWithinH"]
    return FeedFilter(
        wallets=frozenset(params["wallet"]),
        side=params["side"],
        condition_id=None if condition is None else canonical_condition_id(condition),
        category=params["category"],
        is_live=params["live"] is not None,
        is_held=params["held"] is not None,
        usd_min=params["usdMin"],
        price_min=params["priceMin"],
        price_max=params["priceMax"],
        score_min=params["scoreMin"],
        ends_within_ms=None if hours is None else hours * HOUR_MS,
        is_copied=params["copied"] is not None,
        strategy=params["strategy"],
    )


def _amount(name: str, doc: str, at_most: int) -> Param:
    def parse(text: str) -> Decimal:
        if not re.fullmatch(r"[0-9]{1,10}(?:\.[0-9]{1,6})?", text, re.ASCII) or Decimal(text) > at_most:
            raise ValueError(f"must be a number from 0 to {at_most}, with at most six decimals")
        return Decimal(text)

    return Param(name=name, doc=doc, parse=parse, schema={"type": "number", "minimum": 0, "maximum": at_most})
