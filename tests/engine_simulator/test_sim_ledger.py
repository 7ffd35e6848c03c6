from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.account_desk import AccountDesk
from engine.simulator.account_events import AccountEvents, EventKind
from engine.simulator.ledger import Fill, Ledger
from engine.simulator.market import Market
from engine.simulator.profiles import Profile, mixed_case, profile_of
from engine.simulator.series import key_at


def market(number):
    return Market(
        market_id=str(number),
        condition_id=f"0x{number:064x}",
        question="",
        slug="",
        event_slug="",
        outcomes=("Yes", "No"),
        token_ids=(f"{number}1", f"{number}2"),
        start_ms=0,
        end_ms=1,
    )


MARKETS = [market(number) for number in range(3)]


def booked(ledger, second, wallet, place=0, size=1):
    fill = Fill(
        sequence=ledger.next_sequence(),
        block_s=second,
        matched_ms=second * 1000,
        published_ms=second * 1000,
        transaction_hash="0x1",
        wallet=wallet,
        is_taker=True,
        side="BUY",
        market=MARKETS[place],
        token_id=MARKETS[place].token_ids[0],
        outcome_index=0,
        shown_outcome_index=0,
        size_micro=size,
        price=Decimal("0.5"),
        fee=None,
        profile=Profile(),
    )
    ledger.add(fill)
    return fill


additions = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from("abc"), st.integers(0, 2), st.integers(1, 2)), max_size=60
)


@given(rows=additions, kept=st.integers(1, 40))
def test_indexes_hold_the_newest_fills_in_the_order_of_time(rows, kept):
    ledger = Ledger(fills_max=kept)
    fills = [booked(ledger, *each) for each in rows]
    alive = sorted(fills[-kept:], key=lambda fill: (fill.block_s, fill.sequence))
    assert list(ledger.platform().oldest_first()) == alive
    assert list(ledger.platform().newest_first()) == alive[::-1]
    assert ledger.evicted == max(0, len(fills) - kept)
    for wallet in "abc":
        assert list(ledger.of_wallet(wallet).oldest_first()) == [each for each in alive if each.wallet == wallet]
    for each in MARKETS:
        assert list(ledger.of_condition(each.condition_id).oldest_first()) == [x for x in alive if x.market is each]
    assert set(ledger.wallets()) == {each.wallet for each in alive}
    for fill in alive:
        older = list(ledger.platform().newest_first(key_at(fill.block_s, fill.sequence)))
        assert older == alive[: alive.index(fill)][::-1]


@given(rows=additions, kept=st.integers(1, 40))
def test_no_more_events_are_remembered_than_allowed_and_fills_and_events_share_one_order(rows, kept):
    ledger, events = Ledger(), AccountEvents(events_max=kept)
    desk = AccountDesk(ledger, events, seed=1, lag_scale=0)
    for second, wallet, place, size in rows:
        booked(ledger, second, wallet, place, size)
        desk.split(MARKETS[place], wallet, size, 0, at_s=second)
        desk.pay(wallet, EventKind.TIP, size, 0, at_s=second)
    assert len(events) == min(kept, 2 * len(rows))
    assert ledger.total == len(rows)
    alive = [each for wallet in "abc" for each in events.of_wallet(wallet).oldest_first()]
    assert len(alive) == len(events)
    assert [each.sequence for each in sorted(alive, key=lambda each: each.sequence)] == [
        sequence for sequence in range(1, 3 * len(rows) + 1) if sequence % 3 != 1
    ][-kept:]
    in_markets = [each for market_ in MARKETS for each in events.of_condition(market_.condition_id).oldest_first()]
    assert len(in_markets) == sum(each.kind is EventKind.SPLIT for each in alive)
    assert set(events.wallets()) == {each.wallet for each in alive}
    for wallet in "abc":
        keys = [each.key for each in events.of_wallet(wallet).oldest_first()]
        assert keys == sorted(keys)


@given(rows=additions)
def test_the_truth_counts_identical_fills(rows):
    ledger = Ledger()
    for each in rows:
        booked(ledger, *each)
    truth = ledger.truth()
    assert sum(entry["count"] for entry in truth) == len(rows)
    assert len(truth) == len(set(rows))
    some = ledger.truth(["A", "a", "b"], since_s=5, until_s=10)
    assert sum(entry["count"] for entry in some) == sum(5 <= each[0] <= 10 and each[1] in "ab" for each in rows)


def test_the_oldest_fills_are_forgotten_in_the_long_run():
    ledger = Ledger(fills_max=100)
    for second in range(5_000):
        booked(ledger, second, "a" if second % 7 else "b")
    assert len(ledger) == 100
    assert ledger.evicted == 4_900
    assert [fill.block_s for fill in ledger.platform().oldest_first()] == list(range(4_900, 5_000))
    assert len(ledger.of_wallet("a")) + len(ledger.of_wallet("b")) == 100


def test_addresses_have_two_spellings_and_profiles_are_stable():
    lower = "0x" + "abcdef0123" * 4
    assert mixed_case(lower).lower() == lower
    assert mixed_case(lower) == mixed_case(lower.upper().replace("X", "x"))
    assert mixed_case(lower) not in (lower, "0x" + lower[2:].upper())
    assert profile_of(lower, 1) == profile_of(lower, 1)
    names = {profile_of(f"0x{number:040x}", 1).name for number in range(400)}
    assert "" in names
    assert any(not name.isascii() for name in names)
