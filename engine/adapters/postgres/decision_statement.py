"""One statement for trades and what was decided about them: claims, virtual orders, and the money that they cost.

The statement extends `WRITE_TRADES` by one parameter, the decisions as JSON. Orders travel inside their decision, so that
one that is not claimed brings none.
"""

from collections.abc import Iterable, Sequence

import asyncpg
import msgspec

from engine.adapters.postgres.trade_statement import TRADES_CTE
from protocols.conflicts import Stand
from protocols.decisions import Decision, PaperOrder

# A trade has one day, that of the row which came first: a source whose clock differs by a second around midnight finds the
# decision taken. Lookups are subqueries of one row each, which no plan can turn into the reading of a table.
# What belongs to a strategy that is gone or archived is left out, as is an order of which a member was copied before.
DECIDED_CTE = (
    TRADES_CTE  # noqa: S608 - constants only
    + """
, decided AS MATERIALIZED (
    SELECT dated.*, (dated.at AT TIME ZONE 'UTC')::date AS day FROM (
        SELECT new.*, coalesce(
            (SELECT trade_timestamp FROM trades_public WHERE trades_public.trade_id = new.trade_id),
            timestamptz 'epoch' + new.trade_ms * interval '1 millisecond'
        ) AS at
        FROM fence CROSS JOIN json_to_recordset($24::text::json) AS new (
            trade_id text, part text, trade_ms bigint, decided_ms bigint, members text[], snapshot text,
            strategies integer[], versions integer[], reasons text[], bankrolls numeric[], orders json,
            stands jsonb
        )
    ) AS dated
), claimed AS (
    INSERT INTO decisions (
        trade_day, trade_id, part, trade_time, decided_at, members, snapshot, strategies, versions, reasons, bankrolls,
        stands
    )
    SELECT day, trade_id, part, at, timestamptz 'epoch' + decided_ms * interval '1 millisecond', members, snapshot::jsonb,
        strategies, versions, reasons, bankrolls, stands
    FROM decided
    ON CONFLICT DO NOTHING
    RETURNING trade_id, part
), won AS MATERIALIZED (
    SELECT decided.* FROM decided JOIN claimed USING (trade_id, part)
), grouped AS (
    INSERT INTO decision_members (trade_id, part, first_trade_id, trade_day)
    SELECT member.trade_id, won.part, won.trade_id, won.day FROM won CROSS JOIN unnest(won.members) AS member (trade_id)
    ON CONFLICT DO NOTHING
), wanted AS MATERIALIZED (
    SELECT listed.* FROM (
        SELECT new.*,
            CASE WHEN cardinality(new.members) > 0 THEN new.members ELSE ARRAY[new.source_trade_id] END AS copied
        FROM won CROSS JOIN json_to_recordset(won.orders) AS new (
            order_id uuid, wallet_id text, version integer, source_trade_id text, members text[], trader text,
            condition_id text, token_id text, outcome text, market_slug text, market_title text, market_end_ms bigint,
            signal_price numeric(20, 18), entry_price numeric(20, 18), stake numeric(20, 6), shares numeric(20, 6),
            fee numeric(20, 6), entry_model text, fill_inputs text, win_rate numeric, resolved_count integer,
            roi numeric, model_probability numeric, edge numeric, conviction numeric, trade_ms bigint, decided_ms bigint,
            event_slug text
        )
    ) AS listed
    WHERE (
        SELECT archived_at IS NULL FROM ft_wallets JOIN ft_balances USING (wallet_id)
        WHERE ft_wallets.wallet_id = listed.wallet_id
    ) AND (
        SELECT count(*) FROM ft_order_members AS old
        WHERE old.wallet_id = listed.wallet_id AND old.trade_id = ANY (listed.copied)
    ) = 0
), opened AS (
    INSERT INTO ft_orders (
        order_id, wallet_id, config_version, condition_id, token_id, token_label, market_slug, market_title,
        market_end_time, source_trade_id, members, trader_address, signal_price, entry_price, size, shares, fee_usd,
        entry_model, fill_inputs, trader_win_rate, trader_resolved_count, trader_roi, model_probability, edge_pct,
        conviction, shares_open, cost_open, order_time, decided_at, event_slug
    )
    SELECT order_id, wallet_id, version, condition_id, token_id, outcome, market_slug, market_title,
        timestamptz 'epoch' + market_end_ms * interval '1 millisecond', source_trade_id, members, trader, signal_price,
        entry_price, stake, shares, fee, entry_model, fill_inputs::jsonb, win_rate, resolved_count, roi,
        model_probability, edge, conviction, shares, stake + fee,
        timestamptz 'epoch' + trade_ms * interval '1 millisecond',
        timestamptz 'epoch' + decided_ms * interval '1 millisecond', event_slug
    FROM wanted
    ON CONFLICT DO NOTHING
    RETURNING order_id, wallet_id, size, fee_usd
), copies AS (
    INSERT INTO ft_order_members (wallet_id, trade_id, order_id)
    SELECT wanted.wallet_id, copy.trade_id, wanted.order_id
    FROM opened JOIN wanted USING (order_id) CROSS JOIN unnest(wanted.copied) AS copy (trade_id)
), paid AS (
    UPDATE ft_balances AS old SET
        cash = old.cash - spent.stakes - spent.fees,
        open_cost = old.open_cost + spent.stakes + spent.fees,
        fees = old.fees + spent.fees,
        stakes = old.stakes + spent.stakes,
        orders = old.orders + spent.orders,
        open_orders = old.open_orders + spent.orders
    FROM (
        SELECT wallet_id, sum(size) AS stakes, sum(fee_usd) AS fees, count(*) AS orders FROM opened GROUP BY wallet_id
    ) AS spent
    WHERE old.wallet_id = spent.wallet_id
)
"""
)
DECIDED_RESULT = """
SELECT (SELECT count(*) FROM fence) AS fences, (SELECT count(*) FROM written WHERE is_new) AS inserted,
    (SELECT array_agg(ARRAY[trade_id, part]) FROM claimed) AS claimed,
    (SELECT array_agg(order_id::text) FROM opened) AS opened
"""
WRITE_DECIDED = DECIDED_CTE + DECIDED_RESULT
# Other days go to the default partition: a trade with a broken clock, or one from long ago, is not worth a table.
ENSURE_PARTITIONS = """
SELECT ensure_decisions_partition(day) FROM unnest($1::date[]) AS day
WHERE day BETWEEN (now() AT TIME ZONE 'UTC')::date - 7 AND (now() AT TIME ZONE 'UTC')::date + 1
"""


class _Row(msgspec.Struct):
    """A decision as the statement reads it."""

    trade_id: str
    part: str
    trade_ms: int
    decided_ms: int
    members: tuple[str, ...]
    snapshot: str
    strategies: tuple[int, ...]
    versions: tuple[int, ...]
    reasons: tuple[str, ...]
    bankrolls: tuple[object, ...]
    orders: tuple[PaperOrder, ...]
    stands: tuple[Stand | None, ...] | None


_encode = msgspec.json.Encoder().encode


def decisions_json(decisions: Iterable[tuple[Decision, int]]) -> str:
    """Returns the last parameter of `WRITE_DECIDED`: decisions, each with the time of its trade in epoch ms."""
    rows = [
        _Row(
            decision.trade_id, decision.part, trade_ms, decision.decided_ms, decision.members, decision.snapshot,
            decision.strategies, decision.versions, decision.reasons, decision.bankrolls, decision.orders,
            decision.stands or None,
        )
        for decision, trade_ms in decisions
    ]  # fmt: skip
    return _encode(rows).decode()


def copied_by(order: PaperOrder) -> tuple[str, ...]:
    """Returns the trades that an order copies."""
    return order.members or (order.source_trade_id,)


def without_overlap(decisions: Sequence[Decision]) -> list[list[Decision]]:
    """Returns the decisions in as few runs as keep two orders of one strategy for one trade out of the same statement.

    A statement does not see its own rows, so the second of such orders has to come in a later one. Nearly always it is one run.
    """
    runs: list[list[Decision]] = [[]]
    seen = set[tuple[str, str]]()
    for decision in decisions:
        copied = [(order.wallet_id, trade_id) for order in decision.orders for trade_id in copied_by(order)]
        if runs[-1] and not seen.isdisjoint(copied):
            runs.append([])
            seen.clear()
        seen.update(copied)
        runs[-1].append(decision)
    return runs


async def ensure_partitions(raw: asyncpg.Connection, days: Iterable[object]) -> None:
    """Makes the partitions of some days, unless that takes longer than a moment: it needs the table for itself."""
    async with raw.transaction():
        await raw.execute("SET LOCAL lock_timeout = '250ms'")
        await raw.execute(ENSURE_PARTITIONS, sorted(days))  # type: ignore[type-var]
