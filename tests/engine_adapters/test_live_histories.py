"""Any history of live orders comes to the same in memory and in PostgreSQL, and money is never made or lost."""

import attrs
import trio
from engine_adapters.live_worlds import (
    INTERVAL_MS,
    LATER,
    OTHER,
    T0,
    D,
    buy,
    bytes_for,
    hash_of,
    memory_live,
    owed,
    postgres_live,
    resolved,
    sell,
    told,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from property.examples import MANY, examples

from engine.adapters.postgres.database import database_loop
from protocols.errors import EngineError
from protocols.live.events import Accepted, NotFound, Refused, Seen
from protocols.live.orders import OrderOrigin, OrderType, Side
from protocols.live.ports import Declined

STRATEGIES = ("LT_A", f"LT_{OTHER}", "manual:main", "LT_GONE")
CLEAR = "TRUNCATE lt_strategies, lt_orders CASCADE"
DAYS = (
    "SELECT strategy_id, sum(spent_usd) AS spent, sum(lost_usd) AS lost, sum(pnl_usd) AS pnl FROM lt_daily GROUP BY 1"
)
COOLING = "SELECT strategy_id, cause, amount, released_at IS NULL AS waits FROM lt_cooldown_queue"
EXITS = "SELECT exit_id::text, status, target_shares, sold_shares, attempts FROM lt_exits"
ORDERS_MAX = 4
NUMBERS, OWNERS = st.integers(1, ORDERS_MAX), st.sampled_from((STRATEGIES[0], *STRATEGIES))
SHARES = st.sampled_from(["20", "12.5", "7.499999", "0.01", "31"])
PRICES = st.sampled_from(["0.5", "0.031", "0.77", "1"])
CLAIMS = st.tuples(st.just("claim"), st.lists(st.tuples(NUMBERS, OWNERS, st.integers(1, 2)), min_size=1, max_size=4))
DECLINES = st.tuples(st.just("decline"), NUMBERS, OWNERS)
LOCKS = st.tuples(NUMBERS, OWNERS, st.sampled_from(["10.5001", "60", "33.333333", "0.01"]), st.booleans())
JOURNALS = st.tuples(st.just("journal"), st.lists(LOCKS, min_size=1, max_size=4))
SETTLING = st.sampled_from(["MATCHED", "MINED", "CONFIRMED", "FAILED"])
FILLS = st.tuples(st.just("fill"), st.integers(0, 2), SHARES, PRICES, SETTLING, st.sampled_from(["TAKER", "MAKER"]))
SAID = st.sampled_from(["LIVE", "MATCHED", "CANCELED", "DELAYED"])
NEWS = st.one_of(
    FILLS,
    FILLS,
    st.tuples(st.just("seen"), SAID, st.one_of(st.none(), SHARES)),
    st.tuples(st.just("accepted"), st.sampled_from(["live", "matched", "delayed"]), SHARES),
    st.tuples(st.just("refused")),
    st.tuples(st.just("not found"), st.integers(0, 4)),
)
EVENTS = st.tuples(st.just("apply"), st.lists(st.tuples(NUMBERS, OWNERS, st.booleans(), NEWS), min_size=1, max_size=6))
SALES = st.tuples(st.just("exit"), NUMBERS, OWNERS, st.sampled_from(["1", "0.5", "0.333"]), SHARES)
SETTLEMENTS = st.tuples(st.just("settle"), st.sampled_from(["0", "1", "0.5", "0.333333"]))
RELEASES = st.tuples(st.just("release"), st.integers(0, 5), st.booleans())
ROUNDS = st.tuples(st.just("round"), st.integers(1, 3), st.sampled_from(STRATEGIES[:2]), SHARES, st.booleans())
STEPS = st.one_of(CLAIMS, JOURNALS, EVENTS, EVENTS, ROUNDS, ROUNDS, SALES, DECLINES, SETTLEMENTS, RELEASES)
HISTORIES = st.lists(st.tuples(STEPS, st.booleans()), min_size=2, max_size=20)
OPENING = [
    ("claim", [(number, owner, 1) for number in range(1, ORDERS_MAX + 1) for owner in STRATEGIES[:3]]),
    ("journal", [(number, owner, "10.5001", number == 2) for number in (1, 2, 3) for owner in STRATEGIES[:3]]),
]


def number_of(number, owner, sells=False):
    return number + 100 * STRATEGIES.index(owner) + (1_000 if sells else 0)


def claim_of(number, owner, attempt=1):
    origin = OrderOrigin.MANUAL if owner.startswith("manual") else OrderOrigin.COPY
    return buy(number, owner, attempt, origin=origin, token_id=f"{number % 2}")


def obligation(number, owner, share="1"):
    return owed(number, owner, share=D(share), token_id=f"{number % 2}")


def events_of(number, owner, sells, news):
    """News of one order; a not-found comes as often as it takes."""
    of = number_of(number, owner, sells)
    kind, *values = news
    if kind == "fill":
        turn, shares, price, status, role = values
        return [told(of, f"t{turn}", shares, price, status=status, role=role, match_ms=T0 + 30 + turn)]
    if kind == "seen":
        matched = None if values[1] is None else D(values[1])
        return [Seen(order_hash=hash_of(of), venue_status=values[0], matched_shares=matched, at_ms=T0 + 50)]
    if kind == "accepted":
        return [Accepted(order_hash=hash_of(of), venue_status=values[0], matched_shares=D(values[1]), at_ms=T0 + 20)]
    if kind == "refused":
        return [Refused(order_hash=hash_of(of), reason="min_size", detail="too small", at_ms=T0 + 20)]
    return [NotFound(order_hash=hash_of(of), at_ms=T0 + INTERVAL_MS * turn) for turn in range(values[0])]


async def stepped(store, step):
    """Does one step; returns what was told, in an order that does not depend on the store."""
    kind = step[0]
    if kind == "claim":
        return await store.claim([claim_of(*one) for one in step[1]])
    if kind == "decline":
        return await store.decline(
            [Declined(order_id=claim_of(*step[1:]).order_id, reason="SPREAD", detail="", at_ms=T0)]
        )
    if kind == "journal":
        pairs = []
        for number, owner, lock, by_shares in step[1]:
            claim = claim_of(number, owner)
            terms = {"spend_usd": None, "order_type": OrderType.GTC} if by_shares else {}
            pairs.append((claim, bytes_for(claim, number_of(number, owner), lock_usd=D(lock), **terms)))
        # One claim is journaled once in a batch.
        done = await store.journal(list({claim.order_id: (claim, signed) for claim, signed in pairs}.values()))
        return done.orders, done.refused, by_owner(done.balances)
    if kind == "apply":
        return await _apply(store, [event for one in step[1] for event in events_of(*one)])
    if kind == "round":
        return await _round(store, *step[1:])
    if kind == "exit":
        return await _sell(store, *step[1:])
    if kind == "settle":
        settled = await store.settle([resolved(step[1], token) for token in ("0", "1")], LATER)
        lots = sorted(settled.lots, key=lambda lot: lot.order_id)
        return lots, by_owner(settled.balances), sorted(settled.exits, key=_id)
    redeemed = [(owner, "0xc0") for owner in STRATEGIES[:2]] if step[2] else []
    return by_owner(await store.release(T0 + step[1] * 3_600_000, redeemed))


async def _apply(store, events):
    applied = await store.apply(events)
    lots = sorted(applied.lots, key=lambda lot: lot.order_id)
    return applied.orders, by_owner(applied.balances), lots, sorted(applied.exits, key=_id), applied.unknown


async def _round(store, number, owner, shares, fails):
    """Everything that works ends, something is sold, and perhaps the sale fails."""
    over = [
        Seen(order_hash=hash_of(number_of(n, owner)), venue_status="MATCHED", matched_shares=D(20), at_ms=T0)
        for n in (1, 2, 3)
    ]
    said = [await _apply(store, [*(told(number_of(n, owner), "t9", "20") for n in (1, 2, 3)), *over])]
    said.append(await _sell(store, number, owner, "1", shares))
    sale = number_of(number, owner, sells=True)
    statuses = ["MATCHED", "FAILED"] if fails else ["MATCHED"]
    for status in statuses:
        said.append(await _apply(store, [told(sale, "t0", shares, "0.6", status=status, role="MAKER")]))
    return said


async def _sell(store, number, owner, share, shares):
    one = obligation(number, owner, share)
    if not owner.startswith("LT_") or owner == "LT_GONE":
        return None
    opened = await store.open_exits([one])
    fixed = await store.fixed_target(one.exit_id)
    claim = sell(1, one, shares)
    claimed = await store.claim([claim])
    journaled = await store.journal([(claim, bytes_for(claim, number_of(number, owner, sells=True)))])
    return [attrs.evolve(made, created_ms=0) for made in opened], fixed, claimed, journaled


def by_owner(balances):
    return {one.strategy_id: one for one in balances}


def _id(one):
    return one.exit_id


async def played(world, history):
    """Returns everything that callers are told, and what is kept in the end."""
    said = []
    await world.strategy("LT_A", "100")
    await world.strategy(STRATEGIES[1], "30", cooldown_hours="3")
    for step, twice in [*((step, False) for step in OPENING), *history]:
        for _ in range(2 if twice else 1):
            try:
                said.append(await stepped(world.store, step))
            except EngineError as error:
                raise AssertionError(f"{step}: {error}") from error
        await world.check()
    snapshot = await world.store.snapshot(T0)
    orders = await world.orders()
    for order in orders.values():
        if order.intent.side is Side.SELL:
            assert (order.shares_open, order.cost_open) == (0, 0)
    return {
        "said": said,
        "orders": orders,
        "outcomes": await world.outcomes(),
        "ledger": await world.ledger(),
        "balances": await world.balances(),
        "days": await days(world),
        "cooling": await cooling(world),
        "exits": await exits(world),
        "snapshot": (
            set(snapshot.claims), set(map(_order_id, snapshot.working)), set(map(_order_id, snapshot.lots)), snapshot.entries_ms
        ),
    }  # fmt: skip


def _order_id(one):
    return one.order_id


async def days(world):
    """By strategy, over all days: the settlement of a test is not on the day of its orders."""
    if world.memory is None:
        return {row["strategy_id"]: (row["spent"], row["lost"], row["pnl"]) for row in await world.fetch(DAYS)}
    sums = {}
    for (strategy_id, _), one in world.memory.state.days.items():
        spent, lost, pnl = sums.get(strategy_id, (0, 0, 0))
        sums[strategy_id] = (spent + one.spent_usd, lost + one.lost_usd, pnl + one.pnl_usd)
    return sums


async def cooling(world):
    if world.memory is None:
        return sorted(tuple(row) for row in await world.fetch(COOLING))
    return sorted((*key, one.entry.amount, not one.is_released) for key, one in world.memory.state.cooldowns.items())


async def exits(world):
    if world.memory is None:
        return sorted(tuple(row) for row in await world.fetch(EXITS))
    return sorted(
        (id_, one.status.value, one.target_shares, one.sold_shares, one.attempts)
        for id_, one in world.memory.state.exits.items()
    )


@MANY
@given(history=HISTORIES)
def test_money_is_never_made_or_lost(history):
    trio.run(played, memory_live(), history)


@settings(examples(20), suppress_health_check=list(HealthCheck))
@given(history=HISTORIES)
def test_memory_and_database_come_to_the_same(history, database):
    async def both():
        async with database_loop(), postgres_live(database) as stored:
            await stored.connection.run(lambda raw: raw.execute(CLEAR))
            return await played(memory_live(), history), await played(stored, history)

    in_memory, in_database = trio.run(both)
    for name, expected in in_memory.items():
        assert in_database[name] == expected, name
