"""Whatever fails and whenever the engine dies: the days of wallets are those that an independent count finds."""

from decimal import Decimal

import trio
from engine_postgres.results_world import ResultsWorld, wallet_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.adapters.postgres.database import Connection, database_loop

WALLETS, TOKENS = 2, 3
wallets = st.integers(0, WALLETS - 1).map(wallet_of)
tokens = st.integers(0, TOKENS - 1).map(str)
cents = st.integers(1, 99).map(lambda value: Decimal(value) / 100)
shares = st.integers(1, 1_000).map(lambda value: Decimal(value) * 2)
FAULTS = st.dictionaries(
    st.integers(0, 15), st.sampled_from(["weather", "weather", "refused", "malformed", "circle"]), max_size=4
)
END_DAYS = st.sampled_from([None, "2026-05-20", "2026-06-01", "2026-06-04", "2026-12-31", "2099-01-01", "soon"])
LATE_S = st.sampled_from([0, 0, 1_800])
steps = st.one_of(
    st.tuples(st.just("buy"), wallets, tokens, shares, cents),
    st.tuples(st.just("buy"), wallets, tokens, shares, cents),
    st.tuples(st.just("sell_all"), wallets, tokens, cents, LATE_S),
    st.tuples(st.just("sell_part"), wallets, tokens, cents),
    st.tuples(st.just("resolve"), tokens, st.sampled_from(["0", "0", "1", "0.5"]).map(Decimal), END_DAYS),
    st.tuples(st.just("redeem"), wallets, tokens, LATE_S),
    st.tuples(st.just("wait"), st.sampled_from([60, 900, 43_200, 86_400, 9 * 86_400])),
)
runs = st.tuples(st.just("run"), FAULTS, st.sets(st.integers(1, 12), max_size=1), st.booleans(), st.integers(0, 2))
rounds = st.lists(st.tuples(st.lists(steps, min_size=4, max_size=15), runs), min_size=1, max_size=5)


async def done(world, step):
    name, *arguments = step
    venue = world.venue
    if name == "wait":
        venue.now_s += arguments[0]
    elif name == "resolve":
        token, payout, end_day = arguments
        venue.resolve(token, payout, end_day)
    elif name == "run":
        faults, dies_at, dies_after, shift = arguments
        world.accounts.faults = {len(world.accounts.calls) + number: fault for number, fault in faults.items()}
        world.accounts.shift = shift
        await world.run(world.job(dies_at=dies_at, dies_after=dies_after))
        known = {wallet: tokens for wallet, tokens in world.reference.known.items() if tokens}
        assert await world.positions() == known
        world.accounts.faults, world.accounts.shift = {}, 0
    elif name == "redeem":
        wallet, name, late_s = arguments
        token = venue.token(wallet, name)
        if token.payout is not None:
            token.sell_all(token.payout, late_s, venue.now_s)
    else:
        wallet, token, *amounts = arguments
        if name != "sell_all" or venue.token(wallet, token).payout is None:
            getattr(venue.token(wallet, token), name)(*amounts, venue.now_s)
    venue.now_s += 1


@settings(
    max_examples=80,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=rounds)
def test_failing_pages_and_deaths_cost_no_day_and_count_none_twice(made, database):
    async def main():
        async with database_loop():
            connection = Connection(database, "test")
            try:
                world = ResultsWorld(connection)
                await world.begin(WALLETS)
                for happened, run in made:
                    for step in (*happened, run):
                        await done(world, step)
                # Nothing is under way any more.
                world.venue.now_s += 2_000
                figures = await world.run()
                assert (figures["read"], figures["failed"]) == (WALLETS, 0)
                assert await world.days() == world.reference.days()
                assert await world.rankings() == world.reference.rankings()
                before = await world.everything()
                world.venue.now_s += 1
                assert (await world.run())["positions"] == 0
                assert await world.everything() == before
            finally:
                await connection.aclose()

    trio.run(main)
