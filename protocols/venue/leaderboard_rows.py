"""Leaderboards in the two spellings of the Data API (venue.md §5): ranks are numbers in v2 and texts in v1."""

from protocols.errors import MalformedError
from protocols.trader_accounts import LeaderboardPage, Standing
from protocols.venue.answer_rows import (
    Answer,
    Fields,
    first_of,
    read_bare_array,
    read_envelope,
    text_or_none,
    understood,
    usd_or_none,
    wallet_from,
)

RANK_MAX = 2**31 - 1


def decode_leaderboard_v2(body: bytes) -> LeaderboardPage:
    """Returns a page of `/v2/leaderboard`, whose volume is shares. Raises `TransientError` for another shape."""
    return _page(read_envelope(body, "/v2/leaderboard"))


def decode_leaderboard_v1(body: bytes) -> LeaderboardPage:
    """Returns a page of `/v1/leaderboard`, whose volume is USD and whose cursor is None. Raises `TransientError`."""
    return _page(read_bare_array(body, "/v1/leaderboard"))


def _page(answer: Answer) -> LeaderboardPage:
    rows, malformed = understood(answer.rows, _standing)
    return LeaderboardPage(
        rows=tuple(rows), malformed=malformed, rows_sent=len(answer.rows), next_cursor=answer.next_cursor
    )


def _standing(fields: Fields, _text: bytes) -> Standing:
    return Standing(
        wallet=wallet_from(first_of(fields, "user_id", "proxyWallet", "proxy_wallet")),
        rank=_rank(fields.get("rank")),
        pnl_usd=usd_or_none(fields.get("pnl")),
        volume=usd_or_none(first_of(fields, "volume", "vol")),
        volume_is_usd="vol" in fields,
        name=text_or_none(fields, "user_name", "userName"),
        image=text_or_none(fields, "profile_image", "profileImage"),
    )


def _rank(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= RANK_MAX:
        raise MalformedError("rank", repr(value)[:40])
    return value
