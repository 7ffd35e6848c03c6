"""When trades of a wallet are asked for, so that the venue is not asked for what the stream has brought already."""

from collections.abc import Collection


def trades_due(
    read_s: Collection[float | None], *, covered_since_s: float | None, now_s: float, interval_s: float
) -> bool:
    """Returns whether trades are to be read now. All times are monotonic.

    `read_s` says when each list of trades was read to its end last. While the stream cannot be relied on they are always
    due; after that until each list has been read once more; then every `interval_s`, the lists in turn.
    """
    if covered_since_s is None:
        return True
    known = [one for one in read_s if one is not None]
    if len(known) < len(read_s) or min(known) < covered_since_s:
        return True
    return now_s - max(known) >= interval_s
