"""Walks over lists that are read by offset while they move (venue.md §5.2).

A row that leaves the front of a list between two requests pulls another one over the edge between their pages, unseen; a new
one at the front shows a row twice. So each request begins with the last row of the one before: where that row is not found
again, something was missed.
"""

from collections.abc import Sequence

import attrs

from engine.adapters.data_api import V1_CURSOR
from protocols.errors import RejectedError, TransientError


@attrs.frozen(kw_only=True)
class OffsetWalk:
    """Where a walk stands: the offset to ask for, and the row that must come there."""

    offset: int = 0
    last_id: str = ""
    """Of the last row read; empty where there is none to go by."""

    @classmethod
    def at(cls, cursor: str | None, *, offset_max: int) -> "OffsetWalk":
        """Returns the walk that a cursor tells of; None begins one.

        Raises `RejectedError` beyond `offset_max`, where a list answers its last page for ever.
        """
        if cursor is None:
            return cls()
        offset, _, last_id = cursor.removeprefix(V1_CURSOR).partition(":")
        if int(offset) > offset_max:
            raise RejectedError(f"the list goes on beyond {offset_max} rows, and cannot be read there")
        return cls(offset=int(offset), last_id=last_id)

    def repeated(self, ids: Sequence[str]) -> int:
        """Returns how many rows of a page were read before: those up to the last row of the page before it.

        Raises `TransientError` when that row is not there: the list has moved, and must be read from its beginning again.
        """
        if not self.last_id:
            return 0
        if self.last_id not in ids:
            raise TransientError("the list moved while it was read")
        return ids.index(self.last_id) + 1

    def onward(self, ids: Sequence[str], *, rows_sent: int, limit: int) -> str | None:
        """Returns the cursor of the next page, or None at the end of the list.

        `ids` are those of the rows that were understood; where they are few there is nothing to go by. Raises `RejectedError`
        for a full page that brought nothing new: it would come for ever.
        """
        if rows_sent < limit:
            return None
        brought_nothing = bool(self.last_id) and ids[-1:] == [self.last_id]
        if brought_nothing and len(ids) == rows_sent:
            raise RejectedError("the same page came again: the list cannot be read further")
        if brought_nothing or 2 * len(ids) <= rows_sent:
            return f"{V1_CURSOR}{self.offset + rows_sent}:"
        # As many rows earlier as were left out: the last of those that were not is among them.
        return f"{V1_CURSOR}{self.offset + len(ids) - 1}:{ids[-1]}"
