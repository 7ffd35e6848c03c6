"""How a paper position stands, in a word."""

from protocols.errors import MalformedError
from protocols.timestamps import epoch_ms


def position_state(
    outcome: str, *, resolved: bool, closed: bool, end_ms: int | None, game_start: str | None, now_ms: int
) -> str:
    """Returns ENDED, RESOLVED, AWAITING_RESOLUTION, LIVE or OPEN; the first that fits.

    `game_start` is the venue's text; one that is not understood is none.
    """
    if outcome != "OPEN":
        return "ENDED"
    if resolved:
        return "RESOLVED"
    if closed or (end_ms is not None and end_ms <= now_ms):
        return "AWAITING_RESOLUTION"
    return "LIVE" if _has_begun(game_start, now_ms) else "OPEN"


def _has_begun(game_start: str | None, now_ms: int) -> bool:
    try:
        return game_start is not None and epoch_ms(game_start) <= now_ms
    except MalformedError:
        return False
