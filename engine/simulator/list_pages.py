"""Pages of v2 lists that are sorted by a number: by cursor, which says after whom a page begins (venue.md §5.1)."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from engine.simulator.cursors import CursorError, CursorSigner
from engine.simulator.data_requests import Parameters, bad_parameter, page
from engine.simulator.data_rows import Row
from engine.simulator.faults import FaultBoard

T = TypeVar("T")
_PAGE_ROWS = 100
_PAGE_ROWS_MAX = 1_000


class ListPages:
    """Cuts lists. Equals stand in the order of their identity, so that the pages of a list at rest fit together."""

    def __init__(self, cursors: CursorSigner, faults: FaultBoard) -> None:
        self._cursors = cursors
        self._faults = faults

    def page(
        self,
        kind: str,
        parameters: Parameters,
        items: Sequence[T],
        *,
        order: Callable[[T], int],
        identity: Callable[[T], str],
        render: Callable[[int, T], Row],
        descending: bool = True,
    ) -> dict[str, Any]:
        """Returns the page that a request means. `render` gets an item's place, from 1, and the item."""
        sign = -1 if descending else 1
        keyed = sorted(((sign * order(item), identity(item), item) for item in items), key=lambda each: each[:2])
        limit = parameters.whole("limit", _PAGE_ROWS, at_least=1, at_most=_PAGE_ROWS_MAX)
        text, skip = parameters.text("cursor"), 0
        if text is not None:
            limit, last = self._read(kind, text)
            skip = sum(each[:2] <= last for each in keyed) + self._rows_skipped(kind)
        rows = keyed[skip : skip + limit]
        cursor = None
        if len(keyed) > skip + limit:
            value, name, _ = rows[-1]
            cursor = self._cursors.issue(kind, {"l": limit, "k": str(value), "i": name})
        rendered = [render(skip + place, item) for place, (_, _, item) in enumerate(rows, start=1)]
        return page(rendered, limit=limit, offset=0, next_cursor=cursor)

    def _read(self, kind: str, text: str) -> tuple[int, tuple[int, str]]:
        try:
            place = self._cursors.read(kind, text)
            return int(place["l"]), (int(place["k"]), str(place["i"]))
        except (CursorError, KeyError, ValueError):
            raise bad_parameter("cursor", "cursor is invalid or was issued elsewhere") from None

    def _rows_skipped(self, kind: str) -> int:
        """Returns how many rows are lost between pages under `http_moving` aimed at v2."""
        moving = self._faults.active_for("http_moving", "data", f"/v2/{kind}")
        if moving is None or not moving.text("path", "").startswith("/v2"):
            return 0
        return int(moving.number("rows", 3))
