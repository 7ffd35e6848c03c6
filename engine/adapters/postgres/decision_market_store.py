"""Markets as decisions see them, from the rows of markets."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
import attrs

from actors.rules.decision_market import with_kind
from engine.adapters.postgres.database import RunsWork
from protocols.decisions import MarketInput
from protocols.venue.gamma_quotes import prices_of
from protocols.venue.market_input import gamma_extras, is_final

# Columns are written whenever the venue is asked, `raw_gamma` only when all of a market is read: columns win. Of the
# kept object only what no column holds is sent.
MARKET_COLUMNS = """
    condition_id, market_slug, event_slug, title, category, outcomes, outcome_prices, closed, resolution_status, end_time,
    greatest(last_price_updated_at, CASE WHEN raw_gamma IS NOT NULL THEN updated_at END) AS observed_at,
    jsonb_build_object(
        'gameStartTime', raw_gamma -> 'gameStartTime', 'endDate', raw_gamma -> 'endDate',
        'feesEnabled', raw_gamma -> 'feesEnabled', 'feeSchedule', raw_gamma -> 'feeSchedule', 'tags', raw_gamma -> 'tags',
        'events', jsonb_build_array(jsonb_build_object('tags', raw_gamma #> '{events,0,tags}'))
    ) AS extras,
    ARRAY (
        SELECT token_id FROM market_tokens WHERE market_tokens.condition_id = markets.condition_id ORDER BY outcome_index
    ) AS token_ids,
    ARRAY (
        SELECT outcome FROM market_tokens WHERE market_tokens.condition_id = markets.condition_id ORDER BY outcome_index
    ) AS token_outcomes,
    ARRAY (
        SELECT payout FROM market_tokens WHERE market_tokens.condition_id = markets.condition_id ORDER BY outcome_index
    ) AS token_payouts
"""
FIND = f"SELECT {MARKET_COLUMNS} FROM markets WHERE condition_id = ANY ($1::text[])"  # noqa: S608


@attrs.define(eq=False)
class PostgresDecisionMarkets:
    """`DecisionMarkets`."""

    reads: RunsWork

    async def find(self, condition_ids: Sequence[str]) -> Mapping[str, MarketInput]:
        """Returns the markets that have a row. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(FIND, list(condition_ids))

        return {row["condition_id"]: market_of_row(row) for row in await self.reads.run(work)}


def market_of_row(row: asyncpg.Record) -> MarketInput:
    """Returns the market of a row with `MARKET_COLUMNS`; also of one in the shape of an earlier program (D63)."""
    prices, outcomes = _json(row["outcome_prices"]), _json(row["outcomes"])
    if isinstance(prices, dict):
        outcomes, prices = outcomes or prices.get("outcomes"), prices.get("outcomePrices")
    names = tuple(str(name) for name in outcomes) if isinstance(outcomes, list) else ()
    names = names or tuple(row["token_outcomes"])
    shown = prices_of(prices, len(names)) if isinstance(prices, list) else None
    tokens = tuple(row["token_ids"]) if len(row["token_ids"]) == len(names) else ()
    # What orders were settled at is kept by token, and outlives whatever is written into the row later.
    paid = tuple(row["token_payouts"]) if tokens and None not in row["token_payouts"] else None
    extras = gamma_extras(row["extras"])
    end_ms = _ms(row["end_time"])
    return with_kind(
        MarketInput(
            condition_id=row["condition_id"],
            title=row["title"],
            slug=row["market_slug"],
            event_slug=row["event_slug"],
            category=row["category"],
            tags=extras.tags,
            closed=row["closed"] or paid is not None,
            resolved=paid is not None or is_final(row["closed"], row["resolution_status"], shown),
            end_ms=end_ms if end_ms is not None else extras.end_ms,
            game_start_ms=extras.game_start_ms,
            fee_rate=extras.fee_rate,
            fee_exponent=extras.fee_exponent,
            outcomes=names,
            token_ids=tokens,
            outcome_prices=paid or shown,
            observed_ms=_ms(row["observed_at"]) or 0,
        )
    )


def _json(text: str | None) -> Any:
    return json.loads(text, parse_float=Decimal) if text else None


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
