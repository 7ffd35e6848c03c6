"""Traders as lines and tables of text."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from engine.api.trader_bodies import TraderProfile
from engine.cli.figures import count_text, moment_text, seconds_text
from engine.cli.terminal import plain, table_lines
from protocols.timestamps import utc_datetime
from protocols.traders import PnlWindow, TradeRecord

SHOWN_MAX = 10
NAME_CHARS_MAX = 40
TITLE_CHARS_MAX = 60
NOBODY_KNOWS = "-"


@attrs.frozen(kw_only=True)
class ListTable:
    """How a list is shown."""

    headings: tuple[str, ...]
    cells: Callable[[Any], Sequence[object]]
    right: Collection[int]


def profile_lines(profile: TraderProfile) -> Iterator[str]:
    """Returns a profile as lines; what nobody knows is a dash."""
    yield f"{plain(profile.name or 'without a name', NAME_CHARS_MAX)}  {profile.wallet}"
    yield _relations(profile)
    if (board := profile.leaderboard) is not None:
        yield (
            f"leaderboard: {_number(board.rank)} by profit, {_number(board.rank_volume)} by volume; profit {_usd(board.pnl)} "
            f"USD, volume {_usd(board.volume)}, ROI {_pct(board.roi)}, win rate {_pct(board.win_rate)}; "
            f"{moment_text(profile.as_of.leaderboard)}"
        )
    yield ""
    yield from table_lines(
        ("window", "profit USD", "rank", "of", "before", "rank"),
        [_window(one) for one in profile.windows],
        right=range(1, 6),
    )
    if (ranked := profile.rankings) is None:
        yield "no rankings have been computed yet"
    else:
        lacking = "" if ranked.is_complete else f", of which {ranked.wallets_failed} could not be read in full"
        yield f"windows end {ranked.anchor_date}; {count_text(ranked.wallets)} wallets{lacking}"
    yield from _records(profile)
    yield from _positions(profile)
    yield from _trades(profile)


def _relations(profile: TraderProfile) -> str:
    mine = (
        "a copy target of yours"
        if profile.is_target
        else "followed by you"
        if profile.is_followed
        else "not followed by you"
    )
    parts = [mine, f"{count_text(profile.followers)} followers"]
    if profile.copied_by:
        names = ", ".join(f"{one.wallet_id} (live)" if one.is_live else one.wallet_id for one in profile.copied_by)
        more = profile.copied_by_count - len(profile.copied_by)
        parts.append(f"copied by {names}{f' and {more} more' if more else ''}")
    parts.append(f"last trade {moment_text(profile.last_trade_at)}")
    return ", ".join(parts)


def _window(one: PnlWindow) -> tuple[object, ...]:
    return (
        one.window, _usd(one.pnl), _number(one.rank), _number(one.total_traders), _usd(one.previous_pnl),
        _number(one.previous_rank),
    )  # fmt: skip


def _records(profile: TraderProfile) -> Iterator[str]:
    yield ""
    closed = profile.closed
    told = NOBODY_KNOWS if closed is None else f"{count_text(closed.closed)}, {_pct(closed.win_rate)} of them won"
    yield (
        f"closed positions: {told}; markets {_number(profile.markets_traded)}, active days {count_text(profile.active_days)}"
    )
    if profile.records is not None:
        found = (("7 days", profile.records.d7), ("30 days", profile.records.d30), ("all", profile.records.lifetime))
        rows = [(name, *_record(record)) for name, record in found]
        yield from table_lines(("buys seen", "", "resolved", "win rate", "ROI", "average USD"), rows, right=range(1, 6))


def _record(record: TradeRecord) -> tuple[object, ...]:
    counts = (count_text(record.trade_count), count_text(record.resolved_count))
    return (*counts, _pct(record.win_rate), _pct(record.roi), _usd(record.avg_trade_usd))


def _positions(profile: TraderProfile) -> Iterator[str]:
    held = profile.open
    yield ""
    yield (
        f"open positions: {count_text(held.count)} worth {_usd(held.value)} USD, unrealised {_usd(held.unrealized_pnl)}"
        f"{f', {held.unpriced} without a price' if held.unpriced else ''}; snapshot {moment_text(profile.as_of.positions)}"
    )
    rows = [
        (
            plain(one.title or one.condition_id, TITLE_CHARS_MAX), one.outcome or "?", _number(one.size), _number(one.price),
            _usd(one.value), _usd(one.unrealized_pnl), seconds_text(one.age_s),
        )
        for one in held.positions[:SHOWN_MAX]
    ]  # fmt: skip
    if rows:
        yield from table_lines(
            ("market", "outcome", "shares", "price", "USD", "unrealised", "seen ago"), rows, right=range(2, 7)
        )


def _trades(profile: TraderProfile) -> Iterator[str]:
    rows = [
        (
            _second(one.timestamp), one.side, one.outcome or "?", _number(one.size), _number(one.price),
            plain(one.title or one.condition_id, TITLE_CHARS_MAX),
        )
        for one in profile.trades.trades[:SHOWN_MAX]
    ]  # fmt: skip
    if rows:
        yield ""
        yield from table_lines(("last trades", "", "outcome", "shares", "price", "market"), rows, right={3, 4})


def _second(timestamp: int) -> str:
    return moment_text(utc_datetime(timestamp * 1000))


def _usd(value: Decimal | None) -> str:
    return NOBODY_KNOWS if value is None else f"{value:,.2f}"


def _pct(value: Decimal | None) -> str:
    return NOBODY_KNOWS if value is None else f"{value * 100:.1f} %"


def _number(value: Decimal | int | None) -> str:
    return NOBODY_KNOWS if value is None else f"{value:,}" if isinstance(value, int) else f"{value:f}"


def _who(row: Any) -> tuple[object, ...]:
    return (row.wallet, plain(row.name or NOBODY_KNOWS, NAME_CHARS_MAX), count_text(row.followers))


def _trade_cells(row: Any) -> tuple[object, ...]:
    title = plain(row.title or row.condition_id, TITLE_CHARS_MAX)
    return (
        _second(row.timestamp),
        row.trader_wallet,
        row.side,
        row.outcome or "?",
        _number(row.price),
        _usd(row.notional),
        title,
    )


_WHO = ("wallet", "name", "followers")
_TRADE = ("time", "trader", "", "outcome", "price", "USD", "market")
LIST_TABLES: Mapping[str, ListTable] = {
    "leaderboard": ListTable(
        headings=(*_WHO, "profit USD", "volume", "ROI", "win rate", "trades"),
        cells=lambda row: (*_who(row), _usd(row.pnl), _usd(row.volume), _pct(row.roi), _pct(row.win_rate), _number(row.trades)),
        right=range(2, 8),
    ),
    "biggest-winners": ListTable(
        headings=(*_WHO, "rank", "profit USD", "before", "rank"),
        cells=lambda row: (
            *_who(row), _number(row.rank), _usd(row.pnl), _usd(row.previous_pnl), _number(row.previous_rank)
        ),
        right=range(2, 7),
    ),
    "most-active": ListTable(
        headings=(*_WHO, "trades", "buys", "USD", "last"),
        cells=lambda row: (
            *_who(row), count_text(row.trades), count_text(row.buys), _usd(row.volume), moment_text(row.last_trade_at)
        ),
        right=range(2, 6),
    ),
    "most-consistent": ListTable(
        headings=(*_WHO, "won days", "of", "share", "profit USD"),
        cells=lambda row: (*_who(row), row.winning_days, row.days, _pct(row.share), _usd(row.pnl)),
        right=range(2, 7),
    ),
    "most-copied": ListTable(
        headings=(*_WHO, "strategies"), cells=lambda row: (*_who(row), count_text(row.strategies)), right=range(2, 4)
    ),
    "most-copyable": ListTable(
        headings=(*_WHO, "grade", "return", "low", "high", "USD a trade", "capacity", "copies", "days", "notes"),
        cells=lambda row: (
            *_who(row), row.grade, _pct(row.net_return), _pct(row.low), _pct(row.high), _number(row.size_usd),
            _number(row.capacity_usd), count_text(row.copied), count_text(row.days), ", ".join(row.flags),
        ),
        right={2, *range(4, 11)},
    ),
    "big-trades": ListTable(headings=_TRADE, cells=_trade_cells, right={4, 5}),
    "fire": ListTable(
        headings=(*_TRADE, "signal", "why"),
        cells=lambda row: (*_trade_cells(row), f"{row.signal.recommendation} {row.signal.score:f}", ", ".join(row.reasons)),
        right={4, 5},
    ),
}  # fmt: skip
