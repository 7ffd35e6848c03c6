from actors.rules.paper.holding import KnownFill, holding_before
from protocols.paper import Holding


def before(baseline, fills, trade_ms=100, trade_id="sale"):
    return holding_before(baseline, fills, trade_id=trade_id, trade_ms=trade_ms)


def held(micro, as_of_ms):
    return Holding(wallet="0x", token_id="1", micro=micro, as_of_ms=as_of_ms)


def test_nothing_is_known_of_a_trader_who_was_never_seen():
    assert before(None, []) is None
    assert before(None, [KnownFill("sale", 100, -5)]) is None


def test_net_buys_count_where_the_venue_said_nothing():
    fills = [KnownFill("a", 50, 100), KnownFill("b", 60, -30), KnownFill("sale", 100, -20), KnownFill("later", 101, 7)]
    assert before(None, fills) == 70


def test_the_word_of_the_venue_counts_from_its_time_on():
    fills = [KnownFill("a", 50, 100), KnownFill("b", 80, 40), KnownFill("sale", 100, -20)]
    assert before(held(1_000, 60), fills) == 1_040


def test_a_sale_from_before_the_venue_was_asked_is_measured_by_net_buys():
    assert before(held(1_000, 200), [KnownFill("a", 50, 100)]) == 100


def test_a_holding_is_never_negative():
    assert before(None, [KnownFill("a", 50, -100)]) == 0
    assert before(held(10, 20), [KnownFill("a", 50, -100)]) == 0
