"""Recorded trades as decisions see them; what the recordings lack is made up from hashes, the same every time."""

import gzip
import hashlib
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec

from protocols.decisions import (
    Absent,
    Inputs,
    MarketInput,
    Present,
    ProfileRecord,
    TraderRecord,
    WindowRecord,
)
from protocols.trade_identity import fill_key, trade_id_of
from protocols.trades import RawTrade, Trade, TradeRow, trade_from_row

STRUCTURES = ("HEAD_TO_HEAD", "STANDARD", "YES_NO", "SPREAD", "PROP", "OVER_UNDER")
NICHES = ("SPORTS", "SPORTS_NBA", "CRYPTO", "POLITICS", "OTHER")
FEES = (None, Decimal(0), Decimal("0.04"), Decimal("0.05"), Decimal("0.07"))


def draw(key: str, what: str, below: int) -> int:
    """A number from 0 that depends on nothing but the key and what it is for."""
    return int.from_bytes(hashlib.sha256(f"{what}:{key}".encode()).digest()[:6], "big") % below


def recorded_trades(path: Path) -> list[Trade]:
    """The rows of a window in the order of time; rows that are equal get ordinals."""
    rows = [msgspec.json.decode(line, type=TradeRow) for line in gzip.open(path, "rb") if line.strip()]
    rows.sort(key=lambda row: int(row.timestamp))
    seen: Counter[str] = Counter()
    trades = []
    for row in rows:
        wallet = row.proxy_wallet.lower()
        key = fill_key(row, wallet)
        raw = RawTrade(row=row, scope="tape", text="{}", seen_s=0)
        trades.append(trade_from_row(raw, trade_id=trade_id_of(key, seen[str(key)]), wallet=wallet, payload_json="{}"))
        seen[str(key)] += 1
    return trades


def recorded_inputs(trades: list[Trade]) -> list[Inputs]:
    """What decisions see of each. A trader's holding is what he bought and sold before, or unknown, or much more."""
    held: Counter[tuple[str, str]] = Counter()
    first_ms, last_ms = trades[0].trade_ms, trades[-1].trade_ms
    made = []
    for trade in trades:
        pair = (trade.wallet, trade.token_id)
        lag_ms = 500 + draw(trade.trade_id, "lag", 3_000)
        portfolio = draw(trade.wallet, "portfolio", 4)
        made.append(
            Inputs(
                trade_id=trade.trade_id,
                wallet=trade.wallet,
                token_id=trade.token_id,
                condition_id=trade.condition_id,
                side=trade.side,
                price=trade.price,
                size_micro=trade.size_micro,
                trade_ms=trade.trade_ms,
                now_ms=trade.trade_ms + (lag_ms if draw(trade.trade_id, "late", 40) else 400_000),
                outcome=trade.outcome,
                title=trade.market_title,
                market=market_of(trade, first_ms, last_ms),
                trader=record_of(trade.wallet),
                score=score_of(trade.trade_id),
                portfolio_usd=None if portfolio == 0 else Decimal(draw(trade.wallet, "usd", 5_000_000)).scaleb(-2),
                holding_micro=None if trade.side == "BUY" else max(held[pair], 0) or trade.size_micro * 3,
            )
        )
        held[pair] += trade.size_micro if trade.side == "BUY" else -trade.size_micro
    return made


def market_of(trade: Trade, first_ms: int, last_ms: int) -> MarketInput | None:
    """One market in 50 is unknown; some are closed, end within the window or have a game in it."""
    key = trade.condition_id
    kind = draw(key, "market", 50)
    if kind == 0:
        return None
    within_ms = first_ms + draw(key, "end", last_ms - first_ms + 1)
    return MarketInput(
        condition_id=key,
        title=trade.market_title,
        slug=trade.market_slug,
        event_slug=trade.event_slug,
        category=(None, "Crypto", "Politics", "Sports")[draw(key, "category", 4)],
        tags=(("Election",), (), ("NBA", "Games"))[draw(key, "tags", 3)],
        closed=kind == 1,
        resolved=kind == 2,
        end_ms=(None, last_ms + 1, last_ms + 1, within_ms)[draw(key, "ends", 4)],
        game_start_ms=(None, within_ms)[draw(key, "game", 2)],
        fee_rate=FEES[draw(key, "fee", len(FEES))],
        structure=STRUCTURES[draw(key, "structure", len(STRUCTURES))],
        niche=NICHES[draw(key, "niche", len(NICHES))],
    )


def record_of(wallet: str) -> TraderRecord | None:
    """One trader in ten has no record, some no d30, every other one profiles."""
    if draw(wallet, "record", 10) == 0:
        return None
    profiles = tuple(
        ProfileRecord(
            niche=niche,
            structure=structure,
            bracket=bracket,
            resolved_count=draw(wallet, f"count{niche}{structure}{bracket}", 40),
            win_rate=rate_of(wallet, f"rate{niche}{structure}{bracket}"),
        )
        for niche in NICHES[:3]
        for structure in STRUCTURES[:3]
        for bracket in ("LOW", "MID", "HIGH")
        if draw(wallet, f"row{niche}{structure}{bracket}", 3) == 0
    )
    return TraderRecord(
        lifetime=window_of(wallet, "lifetime", 400),
        d30=WindowRecord() if draw(wallet, "quiet", 4) == 0 else window_of(wallet, "d30", 120),
        d7=WindowRecord(),
        profiles=profiles if draw(wallet, "profiles", 2) else (),
    )


def window_of(wallet: str, name: str, count_max: int) -> WindowRecord:
    count = draw(wallet, f"{name} count", count_max)
    return WindowRecord(
        resolved_count=count,
        win_rate=rate_of(wallet, f"{name} rate") if count else None,
        trade_count=count,
        avg_trade_usd=Decimal(draw(wallet, f"{name} average", 4_000_000_000)).scaleb(-6) if count else None,
        roi=rate_of(wallet, f"{name} roi") if count else None,
    )


def rate_of(key: str, what: str) -> Decimal:
    """0.2 to 1."""
    return Decimal(200_000 + draw(key, what, 800_001)).scaleb(-6)


def score_of(trade_id: str) -> Present | Absent:
    if draw(trade_id, "score", 5) == 0:
        return Absent(reason="timeout")
    return Present(probability=Decimal(draw(trade_id, "probability", 1_000_001)).scaleb(-6))


def payouts_of(inputs: list[Inputs], round_: int) -> dict[str, Decimal]:
    """What the markets that resolve in this round pay, by token: the one or the other side, or a half each."""
    by_market: dict[str, set[str]] = {}
    for one in inputs:
        by_market.setdefault(one.condition_id, set()).add(one.token_id)
    payouts = {}
    for condition_id, tokens in by_market.items():
        if draw(condition_id, "round", 6) != round_:
            continue
        void = draw(condition_id, "void", 8) == 0
        winner = draw(condition_id, "winner", 2)
        for number, token in enumerate(sorted(tokens)):
            payouts[token] = Decimal("0.5") if void else Decimal(1 if number == winner else 0)
    return payouts
