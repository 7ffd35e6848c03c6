"""Pages of positions, activity and leaderboards: tolerant of what recordings show, exact in what they count."""

import json
from decimal import Decimal

import pytest
from account_samples import (
    CLOSED_NAMES,
    CLOSED_V1,
    DECODERS,
    HELD_V1,
    PAIRS,
    REDEEM_V1,
    STANDING_V1,
    TRADE_V1,
    V2_BOARD,
    V2_NAMES,
    WALLET,
    enveloped,
    renamed,
    rows_of,
    understood,
    v1,
)
from property.made_trades import NOON_S, transaction

from protocols.errors import TransientError
from protocols.trader_accounts import ActivityKind
from protocols.trades import RawTrade, trade_from_row
from protocols.venue.activity_rows import decode_activity_v1
from protocols.venue.leaderboard_rows import decode_leaderboard_v1, decode_leaderboard_v2
from protocols.venue.position_rows import decode_closed_v1, decode_closed_v2, decode_held_v1, decode_held_v2


@pytest.mark.parametrize(("by_v1", "by_v2", "row", "names"), PAIRS)
def test_both_versions_say_the_same_of_one_row(by_v1, by_v2, row, names):
    (old,), (new,) = rows_of(v1(by_v1, row)), rows_of(by_v2(enveloped([renamed(row, names)])))
    for name in old.__attrs_attrs__:
        if name.name not in ("raw", "text", "last_event_ms", "volume_is_usd"):
            assert getattr(old, name.name) == getattr(new, name.name), name.name


@pytest.mark.parametrize(("by_v1", "by_v2", "row", "names"), PAIRS)
def test_a_row_that_is_not_understood_costs_only_itself(by_v1, by_v2, row, names):
    for essential in ("proxyWallet", "asset", "conditionId", "size", "totalBought", "realizedPnl", "timestamp", "rank"):
        if essential not in row or (row is REDEEM_V1 and essential == "asset"):
            continue
        if row is HELD_V1 and essential == "realizedPnl":
            continue
        # The texts of a trade are the ingest's to judge, which sees all sources.
        for bad in (None, [], {}, True, *(["x" * 200] if row is not TRADE_V1 else [])):
            page = v1(by_v1, row, row | {essential: bad}, 7, row)
            assert (understood(page), page.malformed.total(), page.rows_sent) == (2, 2, 4), (essential, bad)
            page = by_v2(enveloped([renamed(row | {essential: bad}, names), renamed(row, names)]))
            assert (understood(page), page.malformed.total(), page.rows_sent) == (1, 1, 2), (essential, bad)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>502</html>", b'{"error":"x"}', b"null", b'[{"a":1}', b"\xff", b"[" * 100_000, b'{"data":7}',
     b'{"data":[{"a":1', b'{"data":null}'],
)  # fmt: skip
@pytest.mark.parametrize("decode", DECODERS)
def test_what_is_no_page_may_be_one_later(decode, body):
    with pytest.raises(TransientError):
        decode(body)


@pytest.mark.parametrize(("_", "by_v2", "row", "names"), PAIRS)
def test_a_page_that_promises_more_says_where_or_is_none(_, by_v2, row, names):
    rows = [renamed(row, names)]
    assert by_v2(enveloped(rows, has_more=True, next_cursor="abc")).next_cursor == "abc"
    assert by_v2(enveloped(rows, next_cursor="abc")).next_cursor == "abc"
    assert by_v2(enveloped(rows, has_more=False, next_cursor="abc")).next_cursor is None
    assert by_v2(enveloped(rows, has_more=False, next_cursor=None)).next_cursor is None
    for nowhere in (None, ""):
        with pytest.raises(TransientError, match="not where"):
            by_v2(enveloped(rows, has_more=True, next_cursor=nowhere))


@pytest.mark.parametrize("number", [2.5, "2.5", "2.500000", "25e-1"])
def test_numbers_come_as_numbers_or_text_and_stay_exact(number):
    (held,) = v1(
        decode_held_v1, HELD_V1 | {"size": number, "initialValue": number, "avgPrice": "0.6889999998935867"}
    ).rows
    assert (held.shares_micro, held.cost_usd) == (2_500_000, Decimal("2.5"))
    assert held.average_price == Decimal("0.6889999998935867")
    (closed,) = v1(decode_closed_v1, CLOSED_V1 | {"realizedPnl": "-0.1000000000000000055511151231257827"}).rows
    assert closed.realized_usd == Decimal("-0.100000000000000006")
    (whole,) = v1(decode_held_v1, HELD_V1 | {"size": 3, "asset": 7}).rows
    assert (whole.shares_micro, whole.token_id) == (3_000_000, "7")


def test_nothing_left_is_no_holding_and_nothing_wrong():
    page = v1(decode_held_v1, *(HELD_V1 | {"size": size} for size in (0, 0.0, "0", 4e-7, -4e-7, 1e-6)))
    assert (page.nothing_left, len(page.rows), page.malformed) == (5, 1, {})
    assert v1(decode_held_v1, HELD_V1 | {"size": -1}).malformed == {"size": 1}


def test_a_row_that_is_still_held_is_no_closed_one():
    row = renamed(CLOSED_V1, CLOSED_NAMES)
    page = decode_closed_v2(enveloped([row | {"current_size": 0.0}, row | {"current_size": 3}]))
    assert (len(page.rows), page.malformed) == (1, {"still_held": 1})


def test_descriptions_never_cost_a_row():
    bad = {
        "title": 7,
        "outcome": None,
        "outcomeIndex": [],
        "endDate": {},
        "eventSlug": "",
        "avgPrice": 1.5,
        "curPrice": "x",
    }
    (held,) = v1(
        decode_held_v1, HELD_V1 | bad | {"currentValue": "NaN", "initialValue": 1e13, "redeemable": "yes"}
    ).rows
    assert (held.text.title, held.text.outcome, held.text.outcome_index, held.text.end_date) == (None,) * 4
    assert (held.average_price, held.price, held.value_usd, held.cost_usd) == (None,) * 4
    assert not held.redeemable


@pytest.mark.parametrize(("shown", "index"), [(999, None), ("999", None), (0, 0), ("1", 1), (-1, None), (True, None)])
def test_the_sentinel_is_no_outcome(shown, index):
    assert v1(decode_held_v1, HELD_V1 | {"outcomeIndex": shown}).rows[0].text.outcome_index == index


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-07-11", "2026-07-11"), ("2026-01-20T00:00:00Z", "2026-01-20T00:00:00Z"),
        ("2026-07-24 12:10:52+00", "2026-07-24T12:10:52Z"), (1_784_895_052, "2026-07-24T12:10:52Z"),
        ("1784895052000", "2026-07-24T12:10:52Z"), ("2026-13-01", None), ("", None), ("soon", None),
        ("0001-01-01T00:00:00Z", None),
    ],
)  # fmt: skip
def test_ends_of_markets_come_in_many_forms(written, read):
    assert v1(decode_held_v1, HELD_V1 | {"endDate": written}).rows[0].text.end_date == read


@pytest.mark.parametrize(
    "at", [NOON_S, NOON_S * 1000, str(NOON_S * 1000), "2026-05-28T20:26:40Z", "2026-05-28 20:26:40+00", 1.78e9]
)
def test_times_come_in_many_forms(at):
    assert v1(decode_closed_v1, CLOSED_V1 | {"timestamp": at}).rows[0].closed_ms == NOON_S * 1000
    assert v1(decode_activity_v1, REDEEM_V1 | {"timestamp": at}).others[0].at_ms == NOON_S * 1000
    row = renamed(HELD_V1, V2_NAMES) | {"last_event_at": at}
    assert decode_held_v2(enveloped([row])).rows[0].last_event_ms == NOON_S * 1000


def test_wallets_are_compared_in_lower_case_and_names_are_not_wallets():
    mixed = "0x" + "aB" * 20
    assert v1(decode_held_v1, HELD_V1 | {"proxyWallet": mixed}).rows[0].wallet == WALLET
    fake = "Ox" + "ab" * 20
    page = v1(decode_leaderboard_v1, STANDING_V1 | {"userName": fake}, STANDING_V1 | {"proxyWallet": fake})
    assert (page.rows[0].name, page.malformed) == (fake, {"wallet": 1})


def test_a_condition_id_of_62_digits_is_the_one_of_64():
    (held,) = v1(decode_held_v1, HELD_V1 | {"conditionId": "0x" + "A" * 62}).rows
    assert held.condition_id == "0x" + "a" * 62 + "00"


@pytest.mark.parametrize(
    ("rank", "known"), [("12", True), (12, True), ("0", False), (-1, False), (1.5, False), ("x", False)]
)
def test_ranks_are_numbers_or_texts(rank, known):
    page = v1(decode_leaderboard_v1, STANDING_V1 | {"rank": rank})
    assert [row.rank for row in page.rows] == ([12] if known else [])
    assert page.malformed.total() == (not known)


def test_volume_is_dollars_in_v1_and_shares_in_v2():
    assert v1(decode_leaderboard_v1, STANDING_V1).rows[0].volume_is_usd
    assert not decode_leaderboard_v2(enveloped([renamed(STANDING_V1, V2_BOARD)])).rows[0].volume_is_usd


def test_activity_is_sorted_into_trades_holdings_that_change_otherwise_and_the_rest():
    kinds = [
        "REWARD",
        "MAKER_REBATE",
        "TAKER_REBATE",
        "DEPOSIT",
        "WITHDRAWAL",
        "YIELD",
        "TIP",
        "REFERRAL_REWARD",
        "MIGRATION",
    ]
    rest = [REDEEM_V1 | {"type": kind, "conditionId": ""} for kind in kinds]
    others = [REDEEM_V1 | {"type": kind} for kind in ActivityKind]
    broken = [REDEEM_V1 | {"type": kind} for kind in ("LEVITATION", None, 7)]
    broken += [TRADE_V1 | {"side": ""}, TRADE_V1 | {"asset": ""}, REDEEM_V1 | {"conditionId": ""}]
    page = v1(decode_activity_v1, TRADE_V1, *rest, *others, *broken)
    assert [item.kind for item in page.others] == list(ActivityKind)
    assert len(page.trades) == 1
    assert page.malformed == {"not_a_trade": len(kinds), "kind": 3, "side": 1, "token": 1, "condition_id": 1}


def test_rows_of_one_transaction_that_are_alike_in_everything_are_all_kept():
    page = v1(decode_activity_v1, *[TRADE_V1] * 6, *[REDEEM_V1] * 2)
    assert (len(page.trades), len(page.others), page.rows_sent) == (6, 2, 8)


def test_the_smallest_sizes_are_shares_too():
    sizes = ("0.01", 0.000001, "5372.999999", 1e-5)
    rows = v1(decode_held_v1, *(HELD_V1 | {"size": size} for size in sizes)).rows
    assert [row.shares_micro for row in rows] == [10_000, 1, 5_372_999_999, 10]
    (trade,) = v1(decode_activity_v1, TRADE_V1 | {"size": 0.07, "price": "0.001"}).trades
    assert trade.row.size * trade.row.price == Decimal("0.00007")


@pytest.mark.parametrize("outcome", ["Up", "Hiroshima Carp", "Over 1.5", "大谷", "🐳", "O'Brien"])
def test_outcomes_are_whatever_the_market_says(outcome):
    assert v1(decode_held_v1, HELD_V1 | {"outcome": outcome}).rows[0].text.outcome == outcome
    assert v1(decode_activity_v1, TRADE_V1 | {"outcome": outcome}).trades[0].row.outcome == outcome


def test_redeeming_what_is_worthless_is_told():
    (redeemed,) = v1(decode_activity_v1, REDEEM_V1 | {"size": 0}).others
    assert (redeemed.shares_micro, redeemed.transaction_hash) == (0, transaction(1))


def test_trades_of_activity_are_as_the_ingest_wants_them():
    (item,) = v1(decode_activity_v1, TRADE_V1 | {"outcomeIndex": 999, "name": "a\u0000b"}).trades
    assert json.loads(item.text)["payload"]["type"] == "TRADE"
    trade = trade_from_row(
        RawTrade(row=item.row, scope="", text=item.text, seen_s=0.0), trade_id="t", wallet=WALLET, payload_json="{}"
    )
    assert (trade.outcome_index, trade.trader_name, trade.trade_ms) == (None, "a\ufffdb", NOON_S * 1000)


@pytest.mark.parametrize(
    "damage", ['"title":"a\\u0000b"', '"title":"\\ud800"', '"x":1e9999999', '"x":[{"y":-1e-9999999}]']
)
def test_what_is_kept_of_a_row_is_what_a_database_takes(damage):
    text = json.dumps(HELD_V1)[:-1] + "," + damage + "}"
    raw = decode_held_v1(f"[{text}]".encode()).rows[0].raw
    assert "\\u0000" not in raw
    assert "\\ud800" not in raw
    assert "9999999" not in raw
    json.loads(raw)
