"""The statement that writes trades, and its parameters."""

from collections.abc import Sequence
from typing import Any

from engine.adapters.postgres.leases import HELD
from protocols.trades import LanedTrade

# The rows of the leases are locked first: that proves that we may write, and orders commits of several writers, so that
# `ingest_seq` rises in commit order. A repeated row replaces descriptive columns only, and only where something differs;
# `source` stays who brought it first. Payloads are laid over each other: each list of the venue has fields that the other
# lacks, and whoever reads them in turn would otherwise rewrite a row for ever. What is no object is replaced: it would grow.
PAYLOAD = "CASE WHEN jsonb_typeof(old.raw) = 'object' THEN old.raw || excluded.raw ELSE excluded.raw END"
TRADES_CTE = (
    "WITH "
    + HELD.strip()
    + f""", written AS (
    INSERT INTO trades_public AS old (
        trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price, trade_timestamp,
        outcome, outcome_index, market_slug, event_slug, market_title, market_image, trader_name, trader_image, raw,
        source
    )
    SELECT
        new.trade_id, new.lane, new.wallet, new.transaction_hash, new.token_id, new.condition_id, new.side,
        new.size_micro * 0.000001, new.price::numeric, timestamptz 'epoch' + new.trade_ms * interval '1 millisecond',
        new.outcome, new.outcome_index, new.market_slug, new.event_slug, new.market_title, new.market_image,
        new.trader_name, new.trader_image, new.raw::jsonb, new.source
    FROM fence CROSS JOIN unnest(
        $4::text[], $5::smallint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[],
        $12::text[], $13::bigint[], $14::text[], $15::smallint[], $16::text[], $17::text[], $18::text[], $19::text[],
        $20::text[], $21::text[], $22::text[], $23::text[]
    ) AS new (
        trade_id, lane, wallet, transaction_hash, token_id, condition_id, side, size_micro, price, trade_ms,
        outcome, outcome_index, market_slug, event_slug, market_title, market_image, trader_name, trader_image, raw, source
    )
    ON CONFLICT (trade_id) DO UPDATE SET
        lane = least(old.lane, excluded.lane),
        outcome = coalesce(excluded.outcome, old.outcome),
        outcome_index = coalesce(excluded.outcome_index, old.outcome_index),
        market_slug = coalesce(excluded.market_slug, old.market_slug),
        event_slug = coalesce(excluded.event_slug, old.event_slug),
        market_title = coalesce(excluded.market_title, old.market_title),
        market_image = coalesce(excluded.market_image, old.market_image),
        trader_name = coalesce(excluded.trader_name, old.trader_name),
        trader_image = coalesce(excluded.trader_image, old.trader_image),
        raw = {PAYLOAD}
    WHERE (old.raw, old.lane, old.market_title, old.outcome, old.trader_name) IS DISTINCT FROM (
        {PAYLOAD}, least(old.lane, excluded.lane), coalesce(excluded.market_title, old.market_title),
        coalesce(excluded.outcome, old.outcome), coalesce(excluded.trader_name, old.trader_name)
    )
    RETURNING xmax = 0 AS is_new
)
"""  # noqa: S608 - constants only
)
WRITE_TRADES = (
    TRADES_CTE  # noqa: S608 - constants only
    + """
SELECT (SELECT count(*) FROM fence) AS fences, (SELECT count(*) FROM written WHERE is_new) AS inserted
"""
)
COLUMNS = 20


def trade_columns(trades: Sequence[LanedTrade]) -> list[list[Any]]:
    """Returns the values of `unnest` in the order of `WRITE_TRADES`, one list a column."""
    rows = [
        (
            trade.trade_id,
            laned.lane.value,
            trade.wallet,
            trade.transaction_hash,
            trade.token_id,
            trade.condition_id,
            trade.side,
            # Cast over there: the driver takes 2 µs for a Decimal and next to nothing for these.
            trade.size_micro,
            str(trade.price),
            trade.trade_ms,
            trade.outcome,
            trade.outcome_index,
            trade.market_slug,
            trade.event_slug,
            trade.market_title,
            trade.market_image,
            trade.trader_name,
            trade.trader_image,
            trade.raw,
            trade.source,
        )
        for laned in trades
        for trade in (laned.trade,)
    ]
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(COLUMNS)]
