"""What a plan says that it cannot know, and whom its sides copy."""

from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest
from engine_plan.plan_tapes import EASY, WALLETS, tape_row

from config.jobs import RetentionConfig
from config.loader import load_config
from engine.plan.document import PlanSource, decode, encode
from engine.plan.limits import Known, limits
from engine.plan.make import PlanOrder, make_plan
from engine.plan.refusals import TEXT_CHARS_MAX
from engine.plan.sides import NOBODY, Audience, BotPlan, played_sides
from engine.replay.host import ReplayOrder
from protocols.strategies import AllocationMethod, EntryModel, ProportionalBasis, Rotation, StrategySettings, TargetMode

AT = datetime(2026, 9, 21, tzinfo=UTC)
SOURCE = PlanSource(
    kind="stored", since=AT, until=AT, trades=5, traders=2, markets=3, markets_unknown=0, markets_open=0, unusable=0
)
KNOWN = Known(source=SOURCE, audience=Audience(), asked_ms=round(AT.timestamp() * 1000), retention=RetentionConfig())
LISTED = StrategySettings(**EASY, target_mode=TargetMode.LIST, target_traders=WALLETS[:1])


def said(known=KNOWN, before=LISTED, **changes):
    bot = BotPlan(name="BOT", before=before, after=attrs.evolve(LISTED, **changes), version=1)
    return " ".join(limits([bot], known))


def test_what_always_holds_is_always_said_and_nothing_else():
    text = said(bet_size=Decimal(3))
    assert "no position" in text
    assert "max_trade_age_s refuses nothing" in text
    assert len(limits([BotPlan(name="BOT", before=LISTED, after=LISTED)], KNOWN)) == 2


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("book_unavailable", {"entry_model": EntryModel.BOOK}),
        ("portfolio_unknown", {"allocation_method": AllocationMethod.PROPORTIONAL,
                               "proportional_basis": ProportionalBasis.PORTFOLIO}),
        ("ml_unavailable", {"use_model": True, "model_threshold": Decimal("0.6")}),
        ("both sides begin with the new one", {"starting_balance": Decimal(5)}),
        ("follows today", {"target_mode": TargetMode.FOLLOWED}),
        ("leaderboard of today", {"target_mode": TargetMode.LEADERBOARD}),
        ("flatters them", {"rotation": Rotation.DAILY}),
    ],
)  # fmt: skip
def test_a_setting_that_needs_what_is_not_known_is_named(words, changes):
    assert words in said(**changes)
    assert words not in said(bet_size=Decimal(3))


def test_scores_that_are_there_are_no_limit():
    known = attrs.evolve(KNOWN, has_scores=True)
    assert "ml_unavailable" not in said(known, use_model=True, model_threshold=Decimal("0.6"))


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("nothing is stored: kind, fees and end", {"markets_unknown": 2}),
        ("have no result yet", {"markets_open": 2}),
        ("4 trades could not be used", {"unusable": 4}),
    ],
)
def test_markets_and_trades_that_are_not_known_are_counted(words, changes):
    source = PlanSource(**{**{name: getattr(SOURCE, name) for name in SOURCE.__struct_fields__}, **changes})
    assert words in said(attrs.evolve(KNOWN, source=source))


def test_trades_that_do_not_go_back_far_enough_are_told_with_the_days_they_are_kept():
    known = attrs.evolve(KNOWN, thin_count=3, absent_count=1, retention=RetentionConfig(followed_days=12))
    assert "kept for 12 days, or 7 once" in said(known)
    assert "no trade is stored for this time" in said(known)
    late = attrs.evolve(KNOWN, asked_ms=KNOWN.asked_ms - 3 * 86_400_000)
    assert "The first trade that is stored is of 2026-09-21 00:00 UTC" in said(late)


def test_many_names_are_cut():
    settings = attrs.evolve(LISTED, entry_model=EntryModel.BOOK)
    bots = [BotPlan(name=f"B{n}", before=LISTED, after=settings) for n in range(9)]
    assert "B0, B1, B2, B3, B4 and 4 more: buys from the order book" in " ".join(limits(bots, KNOWN))


def test_each_mode_means_its_wallets_and_nobody_is_not_everybody():
    audience = Audience(followed={"o": {WALLETS[1]}}, leaderboard={WALLETS[2]})
    bot = BotPlan(name="B", after=LISTED, owner_id="o")

    def targets(**changes):
        return audience.targets(bot, attrs.evolve(LISTED, **changes))

    assert targets() == {WALLETS[0]}
    assert targets(target_mode=TargetMode.FOLLOWED) == {WALLETS[1]}
    assert targets(target_mode=TargetMode.LEADERBOARD) == {WALLETS[2]}
    assert targets(target_mode=TargetMode.EVERYONE) is None
    assert targets(target_traders=()) == set()
    assert targets(is_active=False) == set()
    assert (
        audience.targets(attrs.evolve(bot, owner_id="p"), attrs.evolve(LISTED, target_mode=TargetMode.FOLLOWED))
        == set()
    )
    empty = BotPlan(name="B", before=LISTED, after=attrs.evolve(LISTED, target_traders=()))
    [(_, before), (_, after)] = played_sides([empty], audience)
    assert before.target_traders == WALLETS[:1]
    assert (after.target_mode, after.target_traders) == (TargetMode.LIST, (NOBODY,))
    assert audience.wallets([empty]) == {WALLETS[0]}
    assert audience.wallets([attrs.evolve(empty, after=attrs.evolve(LISTED, target_mode=TargetMode.EVERYONE))]) is None


def test_both_sides_begin_with_the_new_balance():
    bot = BotPlan(name="B", before=LISTED, after=attrs.evolve(LISTED, starting_balance=Decimal(7)))
    assert [one.starting_balance for _, one in played_sides([bot], Audience())] == [Decimal(7)] * 2


def test_a_document_is_bounded_and_reads_back_as_it_was():
    rows = [tape_row(n, n, price=Decimal("0.1") + Decimal(n) / 1000) for n in range(40)]
    words = tuple(f"word-{n}" for n in range(200))
    before = attrs.evolve(LISTED, market_categories=words)
    order = PlanOrder(
        bots=[BotPlan(name="B", before=before, after=LISTED, version=3)],
        audience=Audience(),
        played=ReplayOrder(rows=rows, bots=()),
        asked_ms=0,
    )
    plan = make_plan(load_config(environ={}), order, rows_max=5)
    [bot] = plan.bots
    assert (bot.added.trades, len(bot.trades), bot.cut) == (40, 5, True)
    assert bot.added.effect == bot.after.total_pnl
    least_shown = min(abs(one.effect) for one in bot.trades)
    assert all(one.refusal.reason == "wrong_category" for one in bot.trades)
    assert all(len(one.refusal.limit) == TEXT_CHARS_MAX for one in bot.trades)
    whole = make_plan(load_config(environ={}), order).bots[0]
    left = [one for one in whole.trades if one.trade_id not in {shown.trade_id for shown in bot.trades}]
    assert all(abs(one.effect) <= least_shown for one in left)
    assert decode(encode(plan)) == plan


def test_of_what_the_model_has_learned_from_there_is_no_score():
    known = attrs.evolve(KNOWN, has_scores=True, scored_from_ms=round(AT.timestamp() * 1000))
    assert "on trades since 2026-09-21 00:00 UTC" in said(known, use_model=True, model_threshold=Decimal("0.5"))
    assert "it has learned" not in said(known)
