"""What becomes of the results of wallets in particular, told by hand."""

from datetime import date
from decimal import Decimal

import attrs
import pytest
from engine_postgres.results_world import STATE, ResultsWorld, wallet_of

from actors.account_reading import AccountReading, UnreadError
from actors.rules.wallet_results import closed_result
from actors.wallet_reading import WalletReading
from config.discovery import DiscoveryConfig
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.wallet_result_store import PostgresWalletResultStore
from protocols.errors import FencedError, TransientError
from protocols.jobs import RunningJob
from protocols.wallet_results import DueWallet

DAY_S = 86_400
HALF, TEN, ONE = Decimal("0.5"), Decimal(10), Decimal(1)
ANN, BOB = wallet_of(0), wallet_of(1)
JUNE_1, JUNE_2, JUNE_3 = date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 3)
FOUR = (Decimal(4), Decimal(4), 1, 1)


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    made = ResultsWorld(connection)
    await made.begin(1)
    yield made
    await connection.aclose()


def bought(world, name="0", wallet=ANN):
    world.venue.token(wallet, name).buy(TEN, HALF, world.venue.now_s)
    return world.venue.token(wallet, name)


def sold(world, name="0", price="0.9", wallet=ANN):
    bought(world, name, wallet).sell_all(Decimal(price), 0, world.venue.now_s)


async def test_what_closes_later_on_the_newest_day_is_added_to_it(world):
    sold(world)
    await world.run()
    assert await world.days() == {ANN: {JUNE_1: FOUR}}
    world.venue.now_s += 3_600
    sold(world, "1", "0.4")
    await world.run()
    assert await world.days() == {ANN: {JUNE_1: (Decimal(3), Decimal(3), 2, 1)}}
    lists = [call for call in world.accounts.calls if call[0] == "closed"]
    assert lists == [("closed", ANN, None), ("closed", ANN, 1_780_272_000_000)]


async def test_a_token_that_is_bought_again_and_closed_again_counts_once_where_it_closed_last(world):
    sold(world)
    await world.run()
    world.venue.now_s += DAY_S
    bought(world)
    await world.run()
    assert await world.days() == {ANN: {JUNE_1: FOUR}}
    world.venue.now_s += DAY_S
    world.venue.token(ANN, "0").sell_all(ONE, 0, world.venue.now_s)
    await world.run()
    assert await world.days() == {ANN: {JUNE_3: (Decimal(9), Decimal(9), 1, 1)}}


async def test_a_loss_stays_on_its_day_until_it_is_redeemed_and_counts_once(world):
    token = bought(world)
    world.venue.resolve("0", Decimal(0), "2026-12-31")
    await world.run()
    lost = {ANN: {JUNE_1: (Decimal(-5), Decimal(-5), 1, 0)}}
    assert await world.days() == lost
    world.venue.now_s += DAY_S
    await world.run()
    assert await world.days() == lost
    token.cost = Decimal(6)
    await world.run()
    assert await world.days() == {ANN: {JUNE_1: (Decimal(-6), Decimal(-6), 1, 0)}}
    token.cost = Decimal(5)
    world.venue.now_s += DAY_S
    token.sell_all(Decimal(0), 0, world.venue.now_s)
    await world.run()
    assert await world.days() == {ANN: {JUNE_3: (Decimal(-5), Decimal(-5), 1, 0)}}
    assert (await world.positions())[ANN]["0"][2] is False


async def test_a_loss_that_turns_out_to_be_none_is_taken_back(world):
    token = bought(world)
    world.venue.resolve("0", Decimal(0), None)
    await world.run()
    token.payout = ONE
    await world.run()
    assert await world.days() == {}
    assert await world.rankings() == {}


@pytest.mark.parametrize("fault", ["weather", "refused", "malformed", "circle"])
async def test_a_wallet_that_cannot_be_read_keeps_what_is_known_and_costs_no_other_one(world, fault):
    sold(world)
    await world.run()
    await world.fetch("INSERT INTO traders (wallet_address) VALUES ($1)", BOB)
    sold(world, "1")
    sold(world, "2", wallet=BOB)
    world.accounts.bad_wallets[ANN] = fault
    world.venue.now_s += DAY_S
    figures = await world.run()
    assert (figures["read"], figures["failed"]) == (1, 1)
    assert await world.days() == {ANN: {JUNE_1: FOUR}, BOB: {JUNE_1: FOUR}}
    [state] = await world.fetch(STATE, ANN)
    assert (state["failures"], state["last_backfilled_at"].date()) == (1, JUNE_1)
    assert state["last_error"]
    [rankings] = await world.fetch("SELECT * FROM wallet_rankings_state")
    assert (rankings["wallets"], rankings["wallets_failed"], rankings["wallets_waiting"]) == (2, 1, 0)
    world.accounts.bad_wallets.clear()
    await world.run()
    assert (await world.days())[ANN] == {JUNE_1: (Decimal(8), Decimal(8), 2, 2)}
    [state] = await world.fetch(STATE, ANN)
    assert (state["failures"], state["last_error"]) == (0, None)


async def test_weather_is_waited_for_and_a_wallet_tried_once_more(world):
    sold(world)
    world.accounts.faults = {0: "weather", 1: "weather", 2: "weather"}
    figures = await world.run(world.job(pauses_s=(0, 0)))
    assert (figures["read"], figures["failed"], figures["calls"]) == (1, 0, 5)


async def test_when_the_api_is_down_the_job_gives_up_and_ranks_nothing(world):
    await world.begin(100)
    world.accounts.bad_wallets = {wallet_of(number): "weather" for number in range(100)}
    with pytest.raises(BaseExceptionGroup) as caught:
        await world.job().run(RunningJob(lease=await world.lease()))
    assert caught.group_contains(TransientError, match="in a row")
    assert len(world.accounts.calls) < 50
    assert await world.fetch("SELECT 1 FROM wallet_rankings_state") == []


async def test_a_wallet_of_many_pages_is_put_aside_and_shows_up_whole_or_not_at_all(world):
    for number in range(3_300):
        sold(world, str(number), "0.6")
    world.accounts.page_rows = 100
    world.accounts.shift = 3
    world.accounts.faults = {33: "refused"}
    await world.run()
    assert await world.days() == {}
    assert await world.fetch("SELECT 1 FROM wallet_results_staged") == []
    await world.run()
    assert await world.days() == {ANN: {JUNE_1: (Decimal(3_300), Decimal(3_300), 3_300, 3_300)}}
    assert await world.fetch("SELECT 1 FROM wallet_results_staged") == []


async def test_what_was_put_aside_is_forgotten_with_the_reading_and_after_a_crash(world):
    for number in range(1_500):
        sold(world, str(number))
    world.accounts.page_rows = 600
    lease, store = await world.lease(), PostgresWalletResultStore(world.connection)
    reading = AccountReading(accounts=world.accounts, pauses_s=())
    wallet = WalletReading(store=store, reading=reading, lease=lease, clock=world)
    staged = "SELECT count(*) AS rows FROM wallet_results_staged"
    world.accounts.faults = {3: "weather"}
    with pytest.raises(UnreadError):
        await wallet.read(DueWallet(wallet=ANN, newest_close_ms=None, read_ms=None))
    assert (await world.fetch(staged))[0]["rows"] == 0
    world.accounts.faults = {}
    await wallet.reading.closed(
        ANN, None, lambda rows: store.stage(lease, ANN, [closed_result(row, now_ms=world.now_ms()) for row in rows])
    )
    assert (await world.fetch(staged))[0]["rows"] == 1_500
    await store.enlist(await world.lease())
    assert (await world.fetch(staged))[0]["rows"] == 0
    assert await world.days() == {}


async def test_a_second_attempt_at_a_slot_goes_on_where_the_first_one_died(world):
    await world.begin(31)
    slot_ms = world.now_ms() - 60_000
    job = attrs.evolve(world.job(dies_at={13}), due_rows=3)
    await world.run(job, slot_ms=slot_ms)
    first = {call[1] for call in world.accounts.calls if call[0] == "closed"}
    assert 0 < len(first) < 31
    world.accounts.calls.clear()
    figures = await world.run(attrs.evolve(world.job(), due_rows=3), slot_ms=slot_ms)
    second = {call[1] for call in world.accounts.calls if call[0] == "closed"}
    assert len(first | second) == 31
    assert figures["read"] < 31


async def test_whose_turn_did_not_come_is_waiting_and_first_the_next_time(world):
    await world.begin(6)
    sold(world, wallet=ANN)

    world.config = DiscoveryConfig(wallets_at_once=2, backfill_max_s=2.0)
    world.accounts.hanging = (wallet_of(1), wallet_of(2))
    figures = await world.run()
    assert (figures["read"], figures["time_is_up"], figures["waiting"]) == (1, True, 5)
    world.venue.now_s += 1
    page = await PostgresWalletResultStore(world.connection).due(begun_ms=world.now_ms(), after=None, wallets_max=9)
    assert [one.wallet for one in page.wallets] == [*(wallet_of(number) for number in range(1, 6)), ANN]


async def test_wanted_are_traders_follows_copied_wallets_and_whose_trades_are_kept(world):
    insert = """
    INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
        trade_timestamp, raw) VALUES ($1, 1, $2, '0x', '1', '0x', 'BUY', 1, 0.5, now(), '{}')
    """
    for number, wallet in enumerate([wallet_of(2), wallet_of(2), wallet_of(3), "no wallet"]):
        await world.fetch(insert, str(number), wallet)
    follow = "INSERT INTO follows (user_id, trader_wallet, active) SELECT id, $1, $2 FROM profiles"
    await world.fetch(follow, wallet_of(4), True)
    await world.fetch(follow, wallet_of(5), False)
    await world.fetch("INSERT INTO traders (wallet_address, is_active) VALUES ($1, false)", wallet_of(6))
    copy = """
    INSERT INTO orders (order_id, copy_user_id, copied_trader_wallet, market_id, side, status)
    SELECT 'a copy', id, $1, '0x', 'BUY', 'filled' FROM profiles LIMIT 1
    """
    await world.fetch(copy, wallet_of(7))
    for number in range(8):
        sold(world, wallet=wallet_of(number))
    figures = await world.run()
    assert figures["wallets"] == figures["read"] == 5
    assert (await world.days()).keys() == {wallet_of(number) for number in (0, 2, 3, 4, 7)}
    await world.fetch("DELETE FROM follows")
    await world.fetch("DELETE FROM orders")
    figures = await world.run()
    assert (figures["wallets"], figures["ranked"]) == (3, 3)
    ranked = {wallet for wallet, _ in (await world.rankings())["ALL"]}
    assert ranked == {wallet_of(number) for number in (0, 2, 3)}


async def test_every_one_of_thousands_of_wallets_is_due_once(world):
    await world.fetch(
        "INSERT INTO wallet_pnl_state (wallet_address, attempted_at)"
        " SELECT '0x' || lpad(to_hex(n), 40, '0'), CASE WHEN n % 3 = 0 THEN '-infinity'"
        " ELSE timestamptz '2026-05-01' + n % 7 * interval '1 hour' END FROM generate_series(1, 2001) AS n"
    )
    store, seen, after = PostgresWalletResultStore(world.connection), [], None
    while True:
        page = await store.due(begun_ms=world.now_ms(), after=after, wallets_max=200)
        seen += [one.wallet for one in page.wallets]
        after = page.after
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 2_001
    assert set(seen[:667]) == {wallet_of(number) for number in range(3, 2_002, 3)}


async def test_traders_are_refreshed_from_what_is_known_of_them(world):
    await world.fetch("UPDATE traders SET pnl = 3, volume = 4 WHERE wallet_address = $1", ANN)
    sold(world)
    sold(world, "1")
    sold(world, "2", "0.4")
    version = await world.fetch("SELECT version FROM target_version")
    await world.run()
    [trader] = await world.fetch("SELECT * FROM traders")
    assert (trader["volume"], trader["total_trades"], trader["markets_traded"]) == (Decimal(15), 3, 2)
    assert trader["win_rate"] == Decimal("0.66667")
    assert trader["roi"] == Decimal("0.2")
    assert trader["win_rate"] == Decimal("0.66667")
    assert await world.fetch("SELECT version FROM target_version") == version
    await world.run()
    assert (await world.fetch("SELECT * FROM traders")) == [trader]


async def test_under_a_lost_lease_nothing_is_written(world):
    sold(world)
    await world.run()
    before = await world.everything()
    sold(world, "1")
    lease = await world.lease()
    store = PostgresWalletResultStore(world.connection)
    lost = attrs.evolve(lease, epoch=lease.epoch + 1)
    for work in (
        store.enlist(lost),
        store.stage(lost, ANN, []),
        store.forget(lost, ANN),
        store.commit(lost, ANN, [], read_ms=0),
        store.fail(lost, ANN, "no", at_ms=0),
        store.rank(lost, begun_ms=0),
    ):
        with pytest.raises(FencedError):
            await work
    assert await world.everything() == before
