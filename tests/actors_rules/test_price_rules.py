from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rules.price_freshness import MAX_AGE_MS, TIERS_MS, Freshness, has_ended
from actors.rules.price_hot_set import Candidate, riders
from actors.rules.price_merge import merged
from actors.rules.price_resolution import is_resolved
from actors.rules.price_wire import many_answer, price_event, quote_json, quote_of
from actors.rules.price_writes import due, kept_of, next_due_s
from protocols.prices import MarketFacts, PriceSource

ID = "0x" + "a" * 64


def facts(*prices, **changed):
    fields = {
        "condition_id": ID,
        "outcomes": ("Yes", "No"),
        "outcome_prices": tuple(map(Decimal, prices)) or None,
        "token_ids": ("1", "2"),
    }
    return MarketFacts(**fields | changed)


def quote(*prices, source=PriceSource.GAMMA, observed_s=100.0, **changed):
    return quote_of(facts(*prices, **changed), source, as_of_ms=1_795_000_000_123, observed_s=observed_s)


@pytest.mark.parametrize(
    ("prices", "closed", "status", "resolved"),
    [
        (("1", "0"), True, "resolved", True),
        (("0", "1"), True, "settled", True),
        (("1", "0"), True, None, True),
        (("0.999", "0.001"), True, None, True),
        (("0.5", "0.5"), True, "resolved", True),
        (("0.5", "0.5"), True, None, False),
        (("1", "0"), False, "resolved", False),
        (("0.999", "0.001"), False, None, False),
        (("1", "0"), True, "proposed", False),
        (("0.999", "0.001"), True, "disputed", False),
        (("0", "0"), True, "resolved", False),
        ((), True, "resolved", False),
        (("0", "0", "1"), True, "resolved", True),
        (("1", "1"), True, "resolved", False),
    ],
)
def test_resolution(prices, closed, status, resolved):
    assert is_resolved(facts(*prices, closed=closed, resolution_status=status)) is resolved


def test_what_has_ended_without_a_result_may_be_fifteen_seconds_old_and_is_renewed_before():
    ended, row = (quote("0.4", "0.6", closed=True, source=one) for one in (PriceSource.GAMMA, PriceSource.DATABASE))
    for ttl_s in (0.25, 2.0, 3.0):
        freshness = Freshness(ttl_s)
        assert 13 < freshness.due_s(ended) < 14
        for limit_s in (freshness.served_s, 5.0, 15.0):
            assert freshness.serves(ended, limit_s, 114.9)
            assert not freshness.serves(ended, limit_s, 115.0)
            assert not freshness.serves(row, limit_s, 100.1)
        assert freshness.serves(ended, 20.0, 119.9)
    assert not has_ended(quote("0.4", "0.6"))
    assert not has_ended(quote("1", "0", closed=True, resolution_status="resolved"))


def test_ages_below_what_everybody_gets_are_that_and_above_the_longest_the_longest():
    freshness = Freshness(2.0)
    assert [freshness.limit_s(ms) for ms in (0, 250, 2_000, 15_000, 10**9)] == [2.25, 2.25, 2.25, 15, 600]
    assert (freshness.ahead_s, Freshness(3.0).served_s) == (2.0, 3.0)
    assert freshness.due_s(quote("0.4", "0.6")) == 2.0
    assert set(TIERS_MS) == {"T1", "T2a", "T2b", "T3", "T4"}
    assert max(TIERS_MS.values()) == MAX_AGE_MS


def test_what_may_be_served_without_a_call():
    freshness = Freshness(2.0)
    assert freshness.serves(quote("0.4", "0.6"), 2.0, 101.999)
    assert not freshness.serves(quote("0.4", "0.6"), 2.0, 102.0)
    assert not freshness.serves(quote("0.4", "0.6", source=PriceSource.DATABASE), 600.0, 100.0)
    final = quote("1", "0", closed=True, source=PriceSource.DATABASE)
    assert freshness.serves(final, 2.0, 1e9)


CANDIDATES = st.lists(
    st.builds(Candidate, st.uuids().map(str), st.floats(0, 100), st.floats(0, 100)),
    max_size=30,
    unique_by=lambda candidate: candidate.condition_id,
)


@given(CANDIDATES, st.integers(-1, 20))
def test_riders_are_the_oldest_that_somebody_asked_for_since(candidates, room):
    taken = riders(candidates, room, 100.0, 2.0)
    by_id = {candidate.condition_id: candidate for candidate in candidates}
    hot = [one for one in candidates if one.asked_s > one.observed_s and one.observed_s <= 99.5]
    assert len(taken) == min(max(0, room), len(hot))
    left = [one.observed_s for one in hot if one.condition_id not in taken]
    assert all(by_id[id_] in hot for id_ in taken)
    assert max((by_id[id_].observed_s for id_ in taken), default=0) <= min(left, default=1e9)


def test_json_of_a_quote_has_all_digits_and_its_age():
    document = quote_json(quote("0.123456789012345678", "0"), 101.5)
    assert b'"outcomePrices":[0.123456789012345678,0]' in document
    value = msgspec.json.decode(document)
    assert (value["ageMs"], value["stale"], value["source"], value["resolved"]) == (1_500, False, "gamma", False)
    assert value["asOf"].endswith(".123Z")
    assert value["score"] is None
    assert msgspec.json.decode(quote_json(quote(), 100.0))["outcomePrices"] is None


def test_what_did_not_change_is_not_encoded_again():
    first = quote("0.4", "0.6")
    again = quote_of(facts("0.4", "0.6"), PriceSource.CLOB, as_of_ms=None, observed_s=7.0, last=first)
    assert again.document is first.document
    value = msgspec.json.decode(quote_json(again, 9.0))
    assert (value["source"], value["asOf"], value["ageMs"]) == ("clob", None, None)


def test_an_age_is_never_negative():
    assert msgspec.json.decode(quote_json(quote("0.4", "0.6"), 99.0))["ageMs"] == 0


def test_several_markets_in_one_document():
    value = msgspec.json.decode(many_answer([quote("0.4", "0.6"), quote()], ["0xb"], [], 100.0))
    assert [market["conditionId"] for market in value.pop("markets")] == [ID, ID]
    assert value == {"success": True, "missing": ["0xb"], "unavailable": []}
    assert price_event(quote("0.4", "0.6"), 100.0).endswith(b"}\n\n")


def test_a_poorer_source_leaves_what_it_does_not_say():
    known = facts("0.4", "0.6", event_slug="event", tick_size=Decimal("0.01"), resolution_status="proposed")
    seen = facts("0.5", "0.5", tick_size=Decimal("0.001"), closed=True)
    whole = merged(known, seen)
    assert whole.event_slug == "event"
    assert whole.tick_size == Decimal("0.001")
    assert whole.outcome_prices == (Decimal("0.5"), Decimal("0.5"))
    assert (whole.closed, whole.resolution_status) == (True, "proposed")
    assert merged(None, seen) is seen
    assert merged(known, facts()).outcome_prices is None


def test_prices_follow_their_tokens_and_other_tokens_are_another_market():
    known = facts("0.4", "0.6")
    assert merged(known, facts("0.7", "0.3", token_ids=("2", "1"))).outcome_prices == (Decimal("0.3"), Decimal("0.7"))
    assert merged(known, facts("0.7", "0.3", token_ids=("2", "3"))) is None
    assert merged(known, facts("0.7", "0.3", condition_id="0xb")) is None


def test_what_is_written_when():
    assert kept_of(facts("0.4", "0.6")) == kept_of(facts("0.40", "0.6", event_slug="x"))
    assert kept_of(facts("0.4", "0.6")) != kept_of(facts("0.4", "0.6", closed=True))
    pending, written_s = {"a": 1, "b": 1}, {"a": 10.0}
    assert due(pending, written_s, 5.0, 12.0) == ["b"]
    assert due(pending, written_s, 5.0, 15.0) == ["a", "b"]
    assert next_due_s({"a": 1}, written_s, 5.0) == 15.0
    assert next_due_s({}, written_s, 5.0) == float("inf")
