"""Whether lists of targets may be filled with winners, and with those of which days (domain.md §7.4, D52, D78)."""

from collections.abc import Sequence
from datetime import date, timedelta

from actors.rules.wallet_results import utc_day
from protocols.wallet_results import RankingsState


def refusal(state: RankingsState | None, *, now_ms: int, incomplete_max_ratio: float) -> str | None:
    """Returns why winners may not be taken from what is known, or None when it is complete up to the end of yesterday."""
    if state is None:
        return "nobody has been ranked yet"
    today = utc_day(now_ms)
    if utc_day(state.read_since_ms) < today:
        return f"wallets were read on {utc_day(state.read_since_ms)}, before yesterday was over"
    if state.anchor < today - timedelta(days=1):
        return f"the newest day of the data is {state.anchor}: yesterday is missing"
    unread = state.wallets_failed + state.wallets_waiting
    if unread > incomplete_max_ratio * state.wallets:
        return f"{state.wallets_failed} of {state.wallets} wallets failed and {state.wallets_waiting} wait"
    return None


def window_of(days: int, *, now_ms: int) -> tuple[date, date]:
    """Returns the first and the last of some days that end with yesterday."""
    last = utc_day(now_ms) - timedelta(days=1)
    return last - timedelta(days=days - 1), last


def new_targets(winners: Sequence[str], targets: Sequence[str]) -> Sequence[str] | None:
    """Returns the list to write; None to leave the old one: nobody won (D52), or they are the same, in any order."""
    if not winners or set(winners) == set(targets):
        return None
    return winners
