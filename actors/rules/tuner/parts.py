"""How the days are split: the search sees the earlier ones, the proof the later ones, and nothing of one reaches the other.

Results count in the part in which they were over. A position of the training part whose market resolves after the split is
embargoed: it has no result there, and its trade lies before the validation part. So nothing that became known after the split
takes part in the search, and no position of the proof was open while the search looked.
"""

import attrs

from protocols.tuner_search import Window

DAY_MS = 86_400_000


@attrs.frozen(kw_only=True)
class Parts:
    """The two parts, in the order of time."""

    train: Window
    validation: Window


def parts_of(now_ms: int, *, days: int, validation_days: int) -> Parts:
    """Returns the last whole UTC days before a moment, the last `validation_days` of them apart."""
    until_ms = now_ms // DAY_MS * DAY_MS
    split_ms = until_ms - validation_days * DAY_MS
    return Parts(
        train=Window(since_ms=until_ms - days * DAY_MS, until_ms=split_ms),
        validation=Window(since_ms=split_ms, until_ms=until_ms),
    )
