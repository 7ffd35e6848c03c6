"""The truth about accounts agrees with what the API says, and with a reference in exact fractions."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import attrs
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from simulator_clients import WALLET, SetClock, row, running

from engine.simulator.account_desk import AccountDesk
from engine.simulator.account_events import AccountEvents
from engine.simulator.account_habits import AccountHabits
from engine.simulator.account_truth import AccountTruth
from engine.simulator.holdings import Holdings
from engine.simulator.ledger import Fill, Ledger
from engine.simulator.market import Market
from engine.simulator.positions import positions_of
from engine.simulator.profiles import Profile
from engine.simulator.wire_numbers import MICRO

BASE_S = 1_795_000_000


def market():
    return Market(
        market_id="1", condition_id="0x" + "1" * 64, question="Will it?", slug="will-it", event_slug="will-it",
        outcomes=("Yes", "No"), token_ids=("1", "2"), start_ms=0, end_ms=BASE_S * 1000,
    )  # fmt: skip


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["BUY", "BUY", "SELL", "SPLIT", "MERGE"]),
        st.integers(0, 1),
        st.integers(1, 50_000_000),
        st.integers(1, 999),
        st.integers(0, 90_000),
    ),
    max_size=25,
)


@attrs.define(eq=False)
class World:
    """One wallet in one market, and a reference in exact fractions beside it."""

    market: Market = attrs.field(factory=market)
    ledger: Ledger = attrs.field(factory=Ledger)
    events: AccountEvents = attrs.field(factory=AccountEvents)
    held: list[Fraction] = attrs.field(factory=lambda: [Fraction(0), Fraction(0)])
    cost: list[Fraction] = attrs.field(factory=lambda: [Fraction(0), Fraction(0)])
    realized: list[Fraction] = attrs.field(factory=lambda: [Fraction(0), Fraction(0)])

    @property
    def desk(self):
        return AccountDesk(self.ledger, self.events, seed=1, lag_scale=0)

    def gain(self, outcome, shares, paid):
        self.held[outcome] += shares
        self.cost[outcome] += paid

    def lose(self, outcome, shares, each):
        if self.held[outcome]:
            share_of_cost = self.cost[outcome] * shares / self.held[outcome]
            self.realized[outcome] += shares * each - share_of_cost
            self.held[outcome] -= shares
            self.cost[outcome] -= share_of_cost

    def step(self, kind, outcome, micro, price, at_s):
        shares, each = Fraction(micro, MICRO), Fraction(price, 1000)
        if kind in ("BUY", "SELL"):
            self.ledger.add(fill(self, kind, outcome, micro, price, at_s))
            if kind == "BUY":
                self.gain(outcome, shares, shares * each)
            else:
                self.lose(outcome, min(shares, self.held[outcome]), each)
        elif kind == "SPLIT":
            self.desk.split(self.market, WALLET, micro, 0, at_s=at_s)
            for index in (0, 1):
                self.gain(index, shares, shares / 2)
        elif min(self.held) >= shares:
            self.desk.merge(self.market, WALLET, micro, 0, at_s=at_s)
            for index in (0, 1):
                self.lose(index, shares, Fraction(1, 2))

    def redeem(self, payouts, at_s):
        self.market.resolve(payouts, BASE_S * 1000)
        self.desk.redeem(self.market, [WALLET], 0, at_s=at_s)
        for index, payout in enumerate(payouts):
            self.lose(index, self.held[index], Fraction(payout, MICRO))


def fill(world, side, outcome, micro, price, at_s):
    return Fill(
        sequence=world.ledger.next_sequence(), block_s=at_s, matched_ms=0, published_ms=0, transaction_hash="0x1",
        wallet=WALLET, is_taker=True, side=side, market=world.market, token_id=world.market.token_ids[outcome],
        outcome_index=outcome, shown_outcome_index=outcome, size_micro=micro,
        price=Decimal(price) / 1000, fee=None, profile=Profile(),
    )  # fmt: skip


@QUICK
@given(steps=STEPS, payouts=st.sampled_from([None, (MICRO, 0), (0, MICRO), (MICRO // 2, MICRO // 2)]))
def test_truth_positions_and_a_reference_in_fractions_agree(steps, payouts):
    world, at_s = World(), BASE_S
    for kind, outcome, micro, price, wait_s in steps:
        at_s += wait_s
        world.step(kind, outcome, micro, price, at_s)
    if payouts is not None:
        world.redeem(payouts, at_s + 100_000)
    (truth,) = AccountTruth(world.ledger, world.events).of([WALLET])
    told = {each["token_id"]: each for each in truth["positions"] + truth["closed"]}
    derived = positions_of(world.ledger.of_wallet(WALLET).oldest_first(), world.events.of_wallet(WALLET).oldest_first())
    assert {world.market.token_ids[each.outcome_index] for each in derived} == told.keys()
    for each in derived:
        true = told[world.market.token_ids[each.outcome_index]]
        assert (each.size_micro, each.realized_micro) == (true.get("shares_micro", 0), true["realized_micro"])
        assert (each.status == "CLOSED") == ("closed_s" in true)
        assert each.last_event_s == true.get("closed_s", true.get("last_event_s"))
        # Every step rounds to a millionth, twice at most, and the cost that is left passes it on.
        slack = Fraction(4 * len(steps) + 4, MICRO)
        assert Fraction(true.get("shares_micro", 0), MICRO) == world.held[each.outcome_index]
        assert abs(Fraction(true["realized_micro"], MICRO) - world.realized[each.outcome_index]) <= slack
    days = defaultdict(list)
    for each in truth["closed"]:
        days[day_of(each["closed_s"])].append(each["realized_micro"])
    assert {day: (sum(results), len(results)) for day, results in days.items()} == {
        each["date"]: (each["realized_micro"], each["closed_positions"]) for each in truth["days"]
    }


def day_of(second):
    return datetime.fromtimestamp(second, UTC).date().isoformat()


async def played(venue):
    """Lets a synthetic platform live until many markets were decided and redeemed."""
    await venue.until(lambda state: state["markets"]["resolved"] >= 12 and state["account_events"] >= 150)
    await venue.control("/play", {"action": "pause"})
    return (await venue.http.get(venue.urls.control_url + "/accounts-truth")).json()["accounts"]


async def all_rows(venue, path, **query):
    rows, cursor = [], {}
    while True:
        page = (await venue.data(path, limit=1_000, **query, **cursor)).json()
        rows += page["data"]
        if page["pagination"]["next_cursor"] is None:
            return rows
        cursor = {"cursor": page["pagination"]["next_cursor"]}


def micro(value):
    return round(value * MICRO)


async def test_the_truth_of_a_played_platform_is_what_the_api_says():
    async with running(start_paused=False, speed=None, life_scale=0.02, wallets=60) as venue:
        accounts = await played(venue)
        assert sum(bool(account["days"]) for account in accounts) > 20
        checked = Counter()
        for account in accounts[:25]:
            wallet = account["wallet"]
            held = {
                each["token_id"]: each
                for each in await all_rows(venue, "/v2/positions", user=wallet, filter_type="TOKENS", filter_amount="0")
            }
            assert {token: micro(each["current_size"]) for token, each in held.items()} == {
                each["token_id"]: each["shares_micro"] for each in account["positions"]
            }
            lost = {each["token_id"] for each in account["positions"] if each["is_lost"]}
            assert lost == {token for token, each in held.items() if each["status"] == "REDEEMABLE_LOST"}
            closed = await all_rows(venue, "/v2/positions", user=wallet, status="CLOSED")
            assert {each["token_id"]: (micro(each["realized_pnl"]), each["last_event_at"]) for each in closed} == {
                each["token_id"]: (each["realized_micro"], each["closed_s"]) for each in account["closed"]
            }
            days = defaultdict(int)
            for each in closed:
                days[day_of(each["last_event_at"])] += micro(each["realized_pnl"])
            assert days == {each["date"]: each["realized_micro"] for each in account["days"]}
            checked.update(held=len(held), lost=len(lost), closed=len(closed))
        assert min(checked.values()) > 10


async def test_several_positions_close_in_one_second():
    async with running(start_paused=False, speed=None, life_scale=0.02, wallets=60) as venue:
        accounts = await played(venue)
    seconds = Counter(
        (account["wallet"], each["closed_s"])
        for account in accounts
        for each in account["closed"]
        if each["bought_micro"]
    )
    assert max(seconds.values()) > 1


def test_a_share_of_the_winners_redeems_over_minutes_in_a_few_blocks_and_few_losers():
    holdings, redeemed = Holdings(), []
    for number in range(400):
        holdings.add(f"w{number}", 0, 1)
        holdings.add(f"l{number}", 1, 1)
    holdings.add("w0", 1, 1)

    class Desk(AccountDesk):
        def redeem(self, market, wallets, now_ms, *, at_s=None):
            redeemed.append((now_ms, wallets))

    world = World()
    habits = AccountHabits(Desk(world.ledger, world.events, seed=1, lag_scale=0), seed=1, redeemed_share=0.6)
    plan = habits.after(market(), (MICRO, 0), holdings, [])
    for delay_s, change in plan:
        change(round(delay_s * 1000))
    assert 4 <= len(redeemed) <= 6
    assert all(5_000 <= at_ms <= 600_000 for at_ms, _ in redeemed)
    assert max(redeemed)[0] - min(redeemed)[0] > 120_000
    wallets = [wallet for _, batch in redeemed for wallet in batch]
    assert len(wallets) == len(set(wallets))
    assert 200 <= sum(wallet.startswith("w") for wallet in wallets) <= 280
    assert 15 <= sum(wallet.startswith("l") for wallet in wallets) <= 60


async def test_nobody_redeems_when_nobody_shall_and_rows_stay_the_same():
    async def first_rows(**options):
        async with running(start_paused=False, speed=None, life_scale=0.02, **options) as venue:
            state = await venue.until(lambda state: state["markets"]["resolved"] >= 5)
            await venue.control("/play", {"action": "pause"})
            rows = (await venue.control("/ledger", {"wallets": None}))["fills"]
            return state["account_events"], [each["transaction_hash"] for each in rows][:500]

    none, without = await first_rows(redeemed_share=0.0)
    some, with_them = await first_rows(redeemed_share=1.0)
    assert without == with_them
    assert none < some


async def test_the_truth_by_query_and_by_body_and_by_day():
    clock = SetClock()
    async with running(clock) as venue:
        condition = (await venue.gamma("/markets?limit=1")).json()[0]
        yes = json.loads(condition["clobTokenIds"])[0]
        await venue.emit(row(asset=yes, size=10, price=0.3))
        await venue.control("/resolve", {"condition_id": condition["conditionId"], "payouts": [MICRO, 0]})
        redeemed = {"condition_id": condition["conditionId"], "timestamp": clock.time_ms // 1000 + 86_400}
        await venue.control("/redeem", redeemed)
        by_body = await venue.control("/accounts-truth", {"wallets": [WALLET.upper().replace("X", "x")]})
        by_query = (await venue.http.get(venue.urls.control_url + "/accounts-truth", params={"wallets": WALLET})).json()
    assert by_body == by_query
    (account,) = by_body["accounts"]
    day = {"date": day_of(clock.time_ms // 1000 + 86_400), "realized_micro": 7 * MICRO}
    assert account["days"] == [day | {"closed_positions": 1, "won_positions": 1}]
