"""All rows to learn from, as compact arrays in the order of their trades: about 280 bytes a trade."""

from collections.abc import AsyncIterator
from typing import Any

import attrs
import numpy as np

from actors.rules.score.feature_names import FEATURES
from engine.training.past_trades import DAY_MS, PastRow
from protocols.errors import RejectedError

Array = np.ndarray[Any, Any]
MOVED_AT_ONCE = 10_000


@attrs.frozen(kw_only=True)
class Table:
    """Parallel arrays over trades."""

    features: Array
    """float32, trades x `FEATURES`; NaN where nobody knows."""
    won: Array
    """float32, 1 or 0."""
    trade_ms: Array
    ended_ms: Array
    event: Array
    """Number of trader and market."""
    market: Array
    """Number of the market."""

    def __len__(self) -> int:
        return len(self.won)

    def __getitem__(self, rows: slice) -> "Table":
        """Returns some rows in a row; nothing is copied."""
        return Table(**{name: column[rows] for name, column in attrs.asdict(self, recurse=False).items()})

    def taken(self, rows: Array) -> "Table":
        """Returns a copy of some rows."""
        return Table(**{name: column[rows] for name, column in attrs.asdict(self, recurse=False).items()})

    def gathered(self, rows: Array) -> "Table":
        """Returns some rows, given in rising order, moved to the front of this very table; what stood there is gone.

        A copy of most of a million rows would cost 200 MB.
        """
        columns = attrs.asdict(self, recurse=False).values()
        for first in range(0, len(rows), MOVED_AT_ONCE):
            # No row moves back, so that those of later rounds are still in their places.
            part = rows[first : first + MOVED_AT_ONCE]
            for column in columns:
                column[first : first + len(part)] = column[part]
        return self[slice(0, len(rows))]

    @property
    def weights(self) -> Array:
        """Returns for each trade one through the number of trades of its event in this table."""
        _, inverse, counts = np.unique(self.event, return_inverse=True, return_counts=True)
        return 1.0 / counts[inverse]

    @property
    def ended_day(self) -> Array:
        """Returns the day on which each one's market ended, as days since 1970."""
        return self.ended_ms // DAY_MS


async def table_of(pages: AsyncIterator[list[PastRow]], *, rows_max: int) -> Table:
    """Returns the table of all pages, ordered by time. Raises `RejectedError` beyond `rows_max` rows."""
    # Memory is taken from the machine only where something is written.
    table = Table(
        features=np.empty((rows_max, len(FEATURES)), np.float32),
        won=np.empty(rows_max, np.float32),
        trade_ms=np.empty(rows_max, np.int64),
        ended_ms=np.empty(rows_max, np.int64),
        event=np.empty(rows_max, np.int64),
        market=np.empty(rows_max, np.int32),
    )
    events: dict[tuple[str, str], int] = {}
    markets: dict[str, int] = {}
    wallet, first_event, count = "", 0, 0
    async for page in pages:
        if count + len(page) > rows_max:
            raise RejectedError(f"more than {rows_max} trades; some came while they were read")
        for at, row in enumerate(page, start=count):
            if row.wallet != wallet:
                # Wallet by wallet: an event of one before never comes again.
                wallet, first_event = row.wallet, first_event + len(events)
                events.clear()
            table.features[at] = row.features
            table.won[at] = row.won
            table.trade_ms[at] = row.trade_ms
            table.ended_ms[at] = row.ended_ms
            table.event[at] = first_event + events.setdefault(row.event, len(events))
            table.market[at] = markets.setdefault(row.condition_id, len(markets))
        count += len(page)
    found = table[slice(0, count)]
    return found.taken(np.argsort(found.trade_ms, kind="stable"))
