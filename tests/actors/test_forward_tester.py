from decimal import Decimal

import pytest
import trio
from property.deciding_world import LEADER, DecidingWorld, market, trade
from property.fake_markets import FakeCatalog
from property.made_decisions import TOKEN, strategy
from property.made_trades import NOON_S, condition, wallet

from protocols.decisions import Reason
from protocols.paper import Payouts
from protocols.strategies import Aggregation, EntryModel, TargetMode

LISTED = {"target_mode": TargetMode.LIST, "target_traders": (LEADER,), "entry_model": EntryModel.OBSERVED}
OTHER = wallet(2)


def world(*strategies, **changes):
    return DecidingWorld(strategies or [strategy(**LISTED)], **changes)


def sends(*trades, pause_s=0.0):
    async def scenario(made):
        for one in trades:
            await made.send(one)
            await trio.sleep(pause_s)

    return scenario


def test_every_strategy_that_copies_the_trader_decides_and_others_do_not():
    made = world(
        strategy(1, **LISTED),
        strategy(2, **LISTED | {"price_min": Decimal("0.5")}),
        strategy(3, **LISTED | {"target_traders": (OTHER,)}),
        strategy(4, **LISTED | {"target_traders": ()}),
        strategy(5, **LISTED | {"is_active": False}),
        strategy(6, **LISTED | {"target_mode": TargetMode.EVERYONE}),
    ).run(sends(trade(1)))
    assert made.reasons("trade-1") == {"now": {1: "taken", 2: "price_out_of_range", 6: "taken"}}
    (order,) = made.orders()
    assert (order.stake, order.shares, order.entry_price) == (10, 25, Decimal("0.4"))
    assert made.ledger.balances["BOT_1"].cash == 990
    assert made.forward.tester.maker.book.available("BOT_1") == 990


def test_followed_and_leaderboard_mean_the_wallets_of_the_table():
    made = world(strategy(1, **LISTED | {"target_mode": TargetMode.FOLLOWED}),
                 strategy(2, **LISTED | {"target_mode": TargetMode.LEADERBOARD}))  # fmt: skip
    from property.made_decisions import OWNER, table

    made.strategy_store.current = table(*made.strategies, followed={OWNER: {LEADER}}, leaderboard=(OTHER,))
    made.run(sends(trade(1), trade(2, wallet=OTHER)))
    assert made.reasons("trade-1") == {"now": {1: "taken"}}
    assert made.reasons("trade-2") == {"now": {2: "taken"}}


def test_a_hundred_signals_at_once_against_cash_for_ten_buy_ten():
    made = world(strategy(**LISTED | {"starting_balance": Decimal(100)}))
    made.run(sends(*[trade(number) for number in range(100)]))
    assert len(made.orders()) == 10
    assert made.ledger.balances["BOT_1"].cash == 0
    reasons = [made.reasons(f"trade-{number}")["now"][1] for number in range(100)]
    assert (reasons.count("taken"), reasons.count("insufficient_cash")) == (10, 90)


@pytest.mark.parametrize(("late_s", "reason"), [(90, "taken"), (301, "trade_too_old")])
def test_a_late_trade_is_judged_by_its_age(late_s, reason):
    made = world().run(sends(trade(1, trade_ms=(NOON_S - late_s) * 1000)))
    assert made.reasons("trade-1") == {"now": {1: reason}}


def test_the_same_trade_again_is_decided_once():
    made = world().run(sends(trade(1), trade(1), trade(1), pause_s=1.0))
    assert len(made.orders()) == 1
    assert made.forward.tester.maker.counts[("taken", "taken")] == 1


class VenueFrom(FakeCatalog):
    """Knows market 7 from some time on, and cannot answer before."""

    from_s = 0.0

    async def markets(self, condition_ids, *, closed):
        self.script.clear()
        if trio.current_time() < self.from_s:
            self.script.append("transient")
        self.known = {condition(7)}
        return await super().markets(condition_ids, closed=closed)


@pytest.mark.parametrize("from_s", [0.0, 3.0, 20.0])
def test_a_trade_of_an_unknown_market_is_decided_within_a_second_of_when_gamma_could_answer(from_s):
    catalog = VenueFrom()
    catalog.from_s = from_s
    made = world(catalog=catalog)
    made.markets.stored = {condition(8): market(8, token_ids=("8", "9"))}
    moments = {}

    async def scenario(made):
        await made.send(trade(1))
        await made.send(trade(2, condition_id=condition(8), token_id="8"))
        while trio.current_time() < 40:
            for key, one in made.ledger.decisions.items():
                moments.setdefault(key[0], (trio.current_time(), one))
            await trio.sleep(0.01)

    made.run(scenario)
    assert moments["trade-2"][0] < 0.5
    assert from_s <= moments["trade-1"][0] <= from_s + 1.0
    assert made.reasons("trade-1") == {"now": {1: "taken"}}
    assert "trade-1" in made.ledger.trades
    assert len(catalog.calls) < 60


def test_a_market_that_nobody_knows_ends_within_the_age_of_the_strategy():
    made = world(strategy(**LISTED | {"max_trade_age_s": 20}))
    made.markets.stored.clear()
    made.run(sends(trade(1)), calm_s=60)
    (decision,) = made.decisions()
    assert decision.reasons == (Reason.MARKET_NOT_FOUND,)
    assert 19_000 <= decision.decided_ms - NOON_S * 1000 <= 21_000


def test_a_token_of_another_market_is_no_market_at_all():
    made = world(strategy(**LISTED | {"max_trade_age_s": 2})).run(sends(trade(1, token_id="31337")))
    assert made.reasons("trade-1") == {"now": {1: "market_not_found"}}


def test_a_strategy_whose_rule_raises_costs_nobody_else_anything(monkeypatch):
    made = world(strategy(1, **LISTED), strategy(2, **LISTED), strategy(3, **LISTED))
    import actors.rules.strategy.deciding as module

    fill = module.fill_in_room
    calls = []

    def poisoned(settings, inputs, stake, stand):
        calls.append(1)
        if len(calls) % 3 == 2:
            raise ZeroDivisionError("poison")
        return fill(settings, inputs, stake, stand)

    monkeypatch.setattr(module, "fill_in_room", poisoned)
    made.run(sends(trade(1), trade(2)))
    for number in (1, 2):
        assert made.reasons(f"trade-{number}") == {"now": {1: "taken", 2: "rule_error", 3: "taken"}}
    assert made.forward.tester.maker.rule_errors == {"BOT_2": 2}
    assert not made.copy_trades.dead_letters


def test_what_was_stored_and_not_decided_is_decided_by_the_next_start():
    first = world(strategy(**LISTED | {"aggregate": Aggregation.WINDOW, "aggregate_window_s": 60}))
    first.run(sends(trade(1), trade(2)), calm_s=1.0)
    assert not first.decisions()
    assert set(first.ledger.trades) == {"trade-1", "trade-2"}
    second = DecidingWorld(first.strategies, ledger=first.ledger).run(sends(), calm_s=120)
    assert second.forward.tester.recovered == 2
    assert [order.members for order in second.orders()] == [("trade-1", "trade-2")]


def test_nothing_that_was_decided_is_decided_again_after_a_restart():
    first = world().run(sends(trade(1), trade(2)))
    second = DecidingWorld(first.strategies, ledger=first.ledger).run(sends(trade(1), trade(2), trade(3)))
    assert len(second.orders()) == 3
    assert second.forward.tester.recovered == 0
    assert second.ledger.balances["BOT_1"].cash == 970
    assert second.forward.tester.maker.book.available("BOT_1") == 970


def test_what_a_settlement_pays_may_be_staked_at_once():
    made = world(strategy(**LISTED | {"starting_balance": Decimal(10)}))

    async def scenario(made):
        await made.send(trade(1))
        await trio.sleep(1)
        await made.send(trade(2))
        await trio.sleep(1)
        paid = await made.ledger.settle(
            [Payouts(condition_id=condition(7), by_token={TOKEN: Decimal(1), "987": Decimal(0)}, source="gamma")]
        )
        made.forward.tester.settled(paid)
        await made.send(trade(3))

    made.run(scenario)
    assert [made.reasons(f"trade-{n}")["now"][1] for n in (1, 2, 3)] == ["taken", "insufficient_cash", "taken"]
    assert made.ledger.balances["BOT_1"].cash == 15


def test_a_new_version_of_a_strategy_is_named_by_its_decisions():
    from property.made_decisions import table

    made = world()

    async def scenario(made):
        await made.send(trade(1))
        await trio.sleep(1)
        changed = strategy(version=2, **LISTED | {"price_max": Decimal("0.3")})
        made.strategy_store.current = table(changed, strategy(2, **LISTED), version=2)
        made.ledger.add_account("BOT_2", Decimal(50))
        await trio.sleep(10)
        await made.send(trade(2))

    made.run(scenario)
    first, second = made.decisions()
    assert (first.versions, first.reasons) == ((1,), ("taken",))
    assert (second.strategies, second.versions, second.reasons) == ((1, 2), (2, 1), ("price_out_of_range", "taken"))
