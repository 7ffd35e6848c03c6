"""Claims of live orders: those that come with a decision (commit 1), and those that nobody else brings."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from engine.adapters.postgres.decision_statement import DECIDED_CTE, DECIDED_RESULT
from engine.adapters.postgres.live_order_rows import columns, time_or_none
from protocols.decisions import Decision
from protocols.live.orders import LiveIntent, OrderOrigin

Key = tuple[str, str]
# A strategy that was archived meanwhile claims nothing; a trade that it copied before, alone or in an aggregate, is not copied
# again (D30, I4). Orders by hand have no row in lt_strategies.
_CLAIMING = """
live_wanted AS MATERIALIZED (
    SELECT new.*, coalesce(
        (
            SELECT account FROM lt_strategies
            WHERE lt_strategies.strategy_id = new.strategy_id AND (is_active OR new.origin = 'exit')
        ),
        CASE WHEN new.strategy_id LIKE 'manual:%' THEN substr(new.strategy_id, 8) END
    ) AS account, (SELECT ft_wallet_id FROM lt_strategies WHERE lt_strategies.strategy_id = new.strategy_id) AS ft_wallet_id,
        CASE WHEN new.origin <> 'copy' THEN '{}' WHEN cardinality(new.members) > 0 THEN new.members
            ELSE ARRAY[new.cause] END AS copied
    FROM json_to_recordset(@json::text::json) AS new (
        order_id uuid, strategy_id text, cause text, attempt integer, origin text, part text, members text[], side text,
        condition_id text, token_id text, outcome text, market_title text, market_slug text, event_slug text, trader text,
        ft_order_id uuid, signal_price numeric(20, 18), signal_ms bigint, decided_ms bigint, wanted_shares numeric(20, 6),
        wanted_usd numeric(20, 6), order_type text, limit_price numeric(20, 18), expires_ms bigint, post_only boolean
    )
), live_claimed AS (
    INSERT INTO lt_orders (
        lt_order_id, strategy_id, account, cause, attempt, origin, part, members, side, condition_id, token_id, token_label,
        market_title, market_slug, event_slug, ft_trader_wallet, ft_wallet_id, ft_order_id, signal_price, wanted_shares,
        wanted_usd, wanted_order_type, wanted_limit_price, wanted_expires_at, post_only, signal_at, decided_at
    )
    SELECT order_id, strategy_id, account, cause, attempt, origin, part, members, side, condition_id, token_id, outcome,
        market_title, market_slug, event_slug, trader, ft_wallet_id, ft_order_id, signal_price, wanted_shares, wanted_usd,
        order_type, limit_price, timestamptz 'epoch' + expires_ms * interval '1 millisecond', post_only,
        timestamptz 'epoch' + signal_ms * interval '1 millisecond',
        timestamptz 'epoch' + decided_ms * interval '1 millisecond'
    FROM @source
    WHERE account IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM unnest(live_wanted.copied) AS copy (trade_id) CROSS JOIN LATERAL (
            SELECT 1 FROM lt_order_members AS old
            WHERE old.strategy_id = live_wanted.strategy_id AND old.trade_id = copy.trade_id LIMIT 1
        ) AS found
    )
    ON CONFLICT DO NOTHING
    RETURNING lt_order_id
), live_copies AS (
    INSERT INTO lt_order_members (strategy_id, trade_id, lt_order_id)
    SELECT live_wanted.strategy_id, copy.trade_id, live_wanted.order_id
    FROM live_wanted JOIN live_claimed ON live_claimed.lt_order_id = live_wanted.order_id
    CROSS JOIN unnest(live_wanted.copied) AS copy (trade_id)
    ON CONFLICT DO NOTHING
)
"""
CLAIM = (
    (
        f"WITH {_CLAIMING} SELECT lt_order_id::text AS order_id FROM live_claimed"  # noqa: S608 - constants only
    )
    .replace("@json", "$1")
    .replace("@source", "live_wanted")
)
# Claims that come with decisions, in the statement that writes those: a durable claim takes one round trip, not four. Decisions
# that were not claimed bring none.
WRITE_CLAIMED = (
    (
        f"{DECIDED_CTE}, {_CLAIMING} {DECIDED_RESULT.rstrip()}, "  # noqa: S608 - constants only
        "(SELECT array_agg(lt_order_id::text) FROM live_claimed) AS live"
    )
    .replace("@json", "$25")
    .replace(
        "@source",
        "(SELECT live_wanted.* FROM live_wanted JOIN claimed ON claimed.trade_id = cause AND claimed.part = live_wanted.part)"
        " AS live_wanted",
    )
)
# Who holds, or is buying, something that was copied from this trader before his sale has to sell his share of it.
MAKE_EXITS = """
INSERT INTO lt_exits (
    exit_id, strategy_id, cause, kind, condition_id, token_id, trader, share, signal_price, signal_at, deadline_at, next_try_at
)
SELECT gen_random_uuid(), held.strategy_id, new.trade_id, 'trader_sell', new.condition_id, new.token_id, new.trader,
    new.share, new.price, new.at, now() + lt_strategies.exit_deadline_s * interval '1 second', now()
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::numeric[], $6::numeric[], $7::timestamptz[], $8::text[])
    AS new (trade_id, trader, condition_id, token_id, share, price, at, ft_wallet_id)
CROSS JOIN LATERAL (
    SELECT DISTINCT strategy_id FROM lt_orders
    WHERE lt_orders.ft_trader_wallet = new.trader AND lt_orders.token_id = new.token_id AND side = 'BUY'
        AND (shares_open > 0 OR NOT ended) AND lt_orders.ft_wallet_id = new.ft_wallet_id AND signal_at <= new.at
) AS held
JOIN lt_strategies ON lt_strategies.strategy_id = held.strategy_id AND lt_strategies.copy_sells
ON CONFLICT (strategy_id, cause, token_id) DO NOTHING
RETURNING exit_id::text AS exit_id, cause
"""


class _Claim(msgspec.Struct):
    """A claim as the statement reads it."""

    order_id: str
    strategy_id: str
    cause: str
    attempt: int
    origin: str
    part: str
    members: tuple[str, ...]
    side: str
    condition_id: str
    token_id: str
    outcome: str | None
    market_title: str | None
    market_slug: str | None
    event_slug: str | None
    trader: str | None
    ft_order_id: str | None
    signal_price: Any
    signal_ms: int
    decided_ms: int
    wanted_shares: Any
    wanted_usd: Any
    order_type: str | None
    limit_price: Any
    expires_ms: int | None
    post_only: bool


_NAMES = _Claim.__struct_fields__
_encode = msgspec.json.Encoder().encode


async def claim(raw: asyncpg.Connection, intents: Sequence[LiveIntent]) -> list[LiveIntent]:
    """Claims in the transaction at hand, and returns the claims that nobody had made before."""
    by_id = dict[str, LiveIntent]()
    for intent in intents:
        by_id.setdefault(intent.order_id, intent)
    made = set[str]()
    for run in _without_overlap(by_id.values()):
        made.update(row["order_id"] for row in await raw.fetch(CLAIM, _encode(_rows(run)).decode()))
    return [intent for intent in by_id.values() if intent.order_id in made]


def _rows(intents: Iterable[LiveIntent]) -> list[_Claim]:
    return [_Claim(*(getattr(intent, name) for name in _NAMES)) for intent in intents]


def _without_overlap(intents: Iterable[LiveIntent]) -> list[list[LiveIntent]]:
    """Runs in which no strategy copies a trade twice: a statement does not see what it writes."""
    runs, copied = list[list[LiveIntent]](), set[Key]()
    for intent in intents:
        own = {(intent.strategy_id, trade_id) for trade_id in intent.members or (intent.cause,)}
        if not runs or (intent.origin is OrderOrigin.COPY and own & copied):
            runs.append([])
            copied.clear()
        runs[-1].append(intent)
        copied |= own
    return runs


async def claim_decided(
    raw: asyncpg.Connection, decisions: Sequence[Decision]
) -> tuple[Mapping[Key, list[LiveIntent]], Mapping[Key, list[str]]]:
    """Claims what decisions that were claimed in this transaction want, and makes obligations of their sales.

    Returns new claims, and ids of new obligations, by decision.
    """
    claims = dict[Key, list[LiveIntent]]()
    intents = {intent.order_id: (one.key, intent) for one in decisions for intent in one.intents}
    for intent in await claim(raw, [intent for _, intent in intents.values()]):
        claims.setdefault(intents[intent.order_id][0], []).append(intent)
    exits = dict[Key, list[str]]()
    signals = [(one.key, one.exit_signal) for one in decisions if one.exit_signal is not None]
    if signals:
        values = [
            (
                signal.trade_id, signal.trader, signal.condition_id, signal.token_id, signal.share, signal.price,
                time_or_none(signal.trade_ms), wallet_id,
            )
            for _, signal in signals
            for wallet_id in signal.ft_wallet_ids
        ]  # fmt: skip
        by_cause = {signal.trade_id: key for key, signal in signals}
        for row in await raw.fetch(MAKE_EXITS, *columns(values, 8)):
            exits.setdefault(by_cause[row["cause"]], []).append(row["exit_id"])
    return claims, exits


def claims_json(decisions: Sequence[Decision]) -> str | None:
    """Returns the last parameter of `WRITE_CLAIMED`: what decisions want. None where one statement cannot do it all: a sale, or
    two claims that copy one trade.
    """
    intents = list[LiveIntent]()
    for one in decisions:
        if one.closes or one.exit_signal is not None:
            return None
        if any((intent.cause, intent.part) != one.key for intent in one.intents):
            return None
        intents += one.intents
    if len({intent.order_id for intent in intents}) < len(intents) or len(_without_overlap(intents)) > 1:
        return None
    return _encode(_rows(intents)).decode()


def claims_of(decisions: Sequence[Decision], made: Collection[str]) -> Mapping[Key, list[LiveIntent]]:
    """Returns the claims that were made, given their order_ids, by decision."""
    found = {one.key: [intent for intent in one.intents if intent.order_id in made] for one in decisions}
    return {key: claims for key, claims in found.items() if claims}
