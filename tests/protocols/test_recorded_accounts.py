"""Recorded answers about accounts, row by row."""

import json
from decimal import Decimal

import pytest

from protocols.timestamps import epoch_ms
from protocols.trader_accounts import ActivityKind
from protocols.venue.activity_rows import decode_activity_v1, decode_activity_v2
from protocols.venue.leaderboard_rows import decode_leaderboard_v1, decode_leaderboard_v2
from protocols.venue.position_rows import decode_closed_v1, decode_held_v1, decode_held_v2


def exact(value):
    return Decimal(str(value))


def enveloped(rows):
    return json.dumps({"data": rows}).encode()


@pytest.mark.parametrize("name", ["data/data-api-2026-07/positions", "payloads/data-api-v1.positions.real.2026-07"])
def test_recorded_positions_of_v1(recorded, name):
    body = (recorded / f"{name}.json").read_bytes()
    rows, page = json.loads(body), decode_held_v1(body)
    assert len(page.rows) == len(rows) > 0
    for held, row in zip(page.rows, rows, strict=True):
        assert (held.wallet, held.token_id, held.condition_id) == (row["proxyWallet"], row["asset"], row["conditionId"])
        assert held.shares_micro == exact(row["size"]) * 10**6
        assert (held.average_price, held.cost_usd) == (exact(row["avgPrice"]), exact(row["initialValue"]))
        # Worthless and still there: redeemable, price and value nothing.
        assert (held.redeemable, held.price, held.value_usd) == (True, 0, 0)
        assert (held.text.end_date, held.negative_risk) == (row["endDate"], row["negativeRisk"])
        assert json.loads(held.raw) == row


def test_a_recorded_position_of_v2(recorded):
    rows = json.loads((recorded / "payloads/data-api-v2.positions.real.2026-09-08.json").read_text())
    (held,), (row,) = decode_held_v2(enveloped(rows)).rows, rows
    assert held.shares_micro == 400_000_000_000
    assert (held.average_price, held.cost_usd, held.value_usd) == (Decimal("0.5"), 200_000, 301_800)
    assert (held.mergeable, held.redeemable, held.negative_risk) == (True, False, True)
    assert (held.last_event_ms, held.text.outcome_index) == (row["last_event_at"] * 1000, 1)


def closed_bodies(recorded):
    payload = json.loads((recorded / "payloads/data-api-v1.closed-positions.real.2026-05.json").read_text())
    samples = json.loads((recorded / "data/frames-2026-09/trades_and_closed_samples.json").read_text())
    return [payload, samples["closed_positions"]]


def test_recorded_closed_positions(recorded):
    for rows in closed_bodies(recorded):
        page = decode_closed_v1(json.dumps(rows).encode())
        assert len(page.rows) == len(rows)
        assert not page.malformed
        for closed, row in zip(page.rows, rows, strict=True):
            assert (closed.token_id, closed.closed_ms) == (row["asset"], row["timestamp"] * 1000)
            assert closed.realized_usd == exact(row["realizedPnl"])
            assert closed.bought_micro == exact(row["totalBought"]) * 10**6
            assert epoch_ms(closed.text.end_date) == epoch_ms(row["endDate"])
    # Both tokens of one market closed in one second, one with a gain and one with a loss.
    first, second = page.rows
    assert (first.condition_id, first.closed_ms) == (second.condition_id, second.closed_ms)
    assert first.realized_usd > 0 > second.realized_usd


@pytest.mark.parametrize("name", ["activity", "activity_all"])
def test_recorded_activity(recorded, name):
    body = (recorded / f"data/data-api-2026-07/{name}.json").read_bytes()
    rows, page = json.loads(body), decode_activity_v1(body)
    by_kind = {kind: [row for row in rows if row["type"] == kind] for kind in ("TRADE", "REDEEM")}
    assert [item.row.transaction_hash for item in page.trades] == [row["transactionHash"] for row in by_kind["TRADE"]]
    for other, row in zip(page.others, by_kind["REDEEM"], strict=True):
        assert (other.kind, other.condition_id) == (ActivityKind.REDEEM, row["conditionId"])
        assert (other.shares_micro, other.at_ms) == (exact(row["size"]) * 10**6, row["timestamp"] * 1000)
    kept = len(by_kind["TRADE"]) + len(by_kind["REDEEM"])
    assert page.malformed == ({"not_a_trade": len(rows) - kept} if kept < len(rows) else {})


def test_recorded_activity_of_v2(recorded):
    rows = json.loads((recorded / "payloads/data-api-v2.activity.real.2026-09-08.json").read_text())
    (item,) = decode_activity_v2(enveloped(rows)).trades
    assert (item.row.asset, item.row.price) == (rows[0]["token_id"], Decimal("0.9300000035"))


def test_recorded_leaderboards(recorded):
    body = (recorded / "data/data-api-2026-07/leaderboard.json").read_bytes()
    rows, page = json.loads(body), decode_leaderboard_v1(body)
    assert [row.rank for row in page.rows] == list(range(1, 51))
    for standing, row in zip(page.rows, rows, strict=True):
        assert (standing.wallet, standing.pnl_usd) == (row["proxyWallet"], exact(row["pnl"]))
        assert (standing.volume, standing.volume_is_usd) == (exact(row["vol"]), True)
    rows = json.loads((recorded / "payloads/data-api-v2.leaderboard.real.2026-09-08.json").read_text())
    page = decode_leaderboard_v2(enveloped(rows))
    assert [(row.rank, row.wallet) for row in page.rows] == [(row["rank"], row["user_id"]) for row in rows]
    assert page.rows[1].pnl_usd == Decimal("454273.13724022976")
    assert not page.rows[0].volume_is_usd
