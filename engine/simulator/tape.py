"""Recorded trade rows (`.jsonl` or `.jsonl.gz`, Data API v1 spelling) as a source of matches."""

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import attrs

from engine.simulator.counterparties import Counterparties
from engine.simulator.market import ONE, Market, MarketDirectory
from engine.simulator.matches import Block, Match, MatchedFill
from engine.simulator.profiles import Profile
from engine.simulator.seeds import digest
from engine.simulator.wire_numbers import micro_from

ROWS_MAX = 1_000_000
_DAY_MS = 86_400_000


class TapeError(Exception):
    """The file cannot be played."""


@attrs.frozen(kw_only=True, eq=False)
class TapeRow:
    """The columns of one row that matter; the rest is in `fields`."""

    wallet: str
    side: str
    token_id: str
    condition_id: str
    transaction_hash: str
    timestamp_s: int
    size_micro: int
    price: Decimal
    fields: dict[str, Any]

    def text(self, name: str) -> str:
        """Returns a descriptive column, or the empty string; what UTF-8 cannot hold becomes a question mark."""
        value = self.fields.get(name)
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""

    def matched(self, market: Market, *, is_taker: bool) -> MatchedFill:
        """Returns the fill that the row tells of. Raises `ValueError` when its token is not of that market."""
        shown = self.fields.get("outcomeIndex")
        return MatchedFill(
            wallet=self.wallet,
            is_taker=is_taker,
            side=self.side,
            market=market,
            outcome_index=market.index_of(self.token_id),
            size_micro=self.size_micro,
            price=self.price,
            profile=_profile_from(self),
            shown_outcome_index=shown if isinstance(shown, int) else None,
        )


@attrs.frozen(kw_only=True, eq=False)
class Recording:
    """A whole file in memory, in the order of time."""

    path: Path
    rows: tuple[TapeRow, ...]
    skipped_lines: int
    """Lines that are no trade row; a torn last line is one."""


def read_recording(path: Path) -> Recording:
    """Returns the trade rows of a file.

    Lines that are not one (torn, other kinds of activity) are counted. Raises `TapeError` when the file cannot be read,
    holds no row at all, or more than `ROWS_MAX`.
    """
    rows: list[TapeRow] = []
    skipped = 0
    for line in _lines(path):
        if not line.strip():
            continue
        row = _row_from(line)
        if row is None:
            skipped += 1
            continue
        rows.append(row)
        if len(rows) > ROWS_MAX:
            raise TapeError(f"{path}: more than {ROWS_MAX} rows")
    if not rows:
        raise TapeError(f"{path}: no trade rows")
    rows.sort(key=lambda row: row.timestamp_s)
    return Recording(path=path, rows=tuple(rows), skipped_lines=skipped)


class Tape:
    """Plays a recording: one block for each second of it, with the makers that the recording left out."""

    def __init__(
        self, recording: Recording, markets: MarketDirectory, *, seed: int, now_ms: int, keep_time: bool = False
    ) -> None:
        self._recording = recording
        self._keep_time = keep_time
        shift_ms = 0 if keep_time else now_ms - recording.rows[0].timestamp_s * 1000
        self._markets = markets_of(recording.rows, markets, shift_ms=shift_ms)
        markets.add_all(self._markets.values())
        self._counterparties = Counterparties(frozenset(row.wallet for row in recording.rows), seed=seed)
        self._began_s = recording.rows[0].timestamp_s
        self._position = 0

    def next_block(self) -> Block | None:
        """Returns the rows of the next second, or None after the last."""
        rows = self._recording.rows
        if self._position >= len(rows):
            return None
        second = rows[self._position].timestamp_s
        end = self._position
        transactions: dict[str, list[TapeRow]] = {}
        while end < len(rows) and rows[end].timestamp_s == second:
            transactions.setdefault(rows[end].transaction_hash, []).append(rows[end])
            end += 1
        self._position = end
        return Block(
            offset_s=float(second - self._began_s),
            matches=[self._match(transaction, each) for transaction, each in transactions.items()],
        )

    def describe(self) -> dict[str, object]:
        """Returns the file, its size and how far it has been played."""
        return {
            "path": str(self._recording.path),
            "rows": len(self._recording.rows),
            "position": self._position,
            "skipped_lines": self._recording.skipped_lines,
        }

    def _match(self, transaction_hash: str, rows: list[TapeRow]) -> Match:
        taker = max(rows, key=lambda row: row.size_micro)
        ordered = [taker, *(row for row in rows if row is not taker)]
        fills = [row.matched(self._markets[row.condition_id], is_taker=row.wallet == taker.wallet) for row in ordered]
        if all(fill.is_taker for fill in fills):
            for fill in list(fills):
                fills.extend(self._counterparties.of(fill, transaction_hash))
        timestamp_s = taker.timestamp_s if self._keep_time else None
        return Match(transaction_hash=transaction_hash, fills=tuple(fills), timestamp_s=timestamp_s)


def markets_of(all_rows: Iterable[TapeRow], known: MarketDirectory, *, shift_ms: int = 0) -> dict[str, Market]:
    """Returns the market of every row by condition, from what the rows say; a token that never occurs is made up.

    `shift_ms` is added to the times of the rows.
    """
    by_condition: dict[str, list[TapeRow]] = defaultdict(list)
    for row in all_rows:
        by_condition[row.condition_id].append(row)
    return {
        condition_id: known.with_condition(condition_id) or _market_from(condition_id, rows, known.next_id(), shift_ms)
        for condition_id, rows in by_condition.items()
    }


def _market_from(condition_id: str, rows: list[TapeRow], market_id: str, shift_ms: int) -> Market:
    first = rows[0]
    tokens: dict[str, TapeRow] = {}
    for row in rows:
        tokens.setdefault(row.token_id, row)
    pairs = [(token, row.text("outcome"), row.fields.get("outcomeIndex")) for token, row in tokens.items()][:2]
    if len(pairs) == 1:
        token, outcome, index = pairs[0]
        other = str(int.from_bytes(digest("second token", token), "big"))
        pairs.append((other, _opposite(outcome), 1 - index if index in (0, 1) else None))
    if pairs[0][2] == 1 or pairs[1][2] == 0 or (pairs[0][2] is None and pairs[0][1] in ("No", "Down", "Under")):
        pairs.reverse()
    price = first.price if first.token_id == pairs[0][0] else ONE - first.price
    market = Market(
        market_id=market_id,
        condition_id=condition_id,
        question=first.text("title"),
        slug=first.text("slug") or condition_id,
        event_slug=first.text("eventSlug") or first.text("slug"),
        icon=first.text("icon"),
        outcomes=(pairs[0][1], pairs[1][1]),
        token_ids=(pairs[0][0], pairs[1][0]),
        start_ms=first.timestamp_s * 1000 + shift_ms - _DAY_MS,
        end_ms=rows[-1].timestamp_s * 1000 + shift_ms + 30 * _DAY_MS,
    )
    market.price = price
    return market


_OPPOSITES = {"Yes": "No", "Up": "Down", "Over": "Under"}
_OPPOSITES |= {second: first for first, second in _OPPOSITES.items()}


def _opposite(outcome: str) -> str:
    return _OPPOSITES.get(outcome, f"Not {outcome}")


def _profile_from(row: TapeRow) -> Profile | None:
    if "name" not in row.fields and "pseudonym" not in row.fields:
        return None
    return Profile(
        name=row.text("name"),
        pseudonym=row.text("pseudonym"),
        bio=row.text("bio"),
        profile_image=row.text("profileImage"),
    )


def _lines(path: Path) -> Iterator[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", errors="surrogateescape") as file:
            yield from file
    except EOFError:
        # A recorder that was killed leaves a torn archive: what came before it is good, its last line counts as torn.
        yield "{"
    except (OSError, zlib.error) as error:
        raise TapeError(f"{path}: {error}") from None


def _row_from(line: str) -> TapeRow | None:
    try:
        fields = json.loads(line, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return row_from(fields) if isinstance(fields, dict) else None


def _plain(texts: Iterable[object]) -> bool:
    return all(isinstance(text, str) and text.isascii() for text in texts)


def row_from(fields: dict[str, Any]) -> TapeRow | None:
    """Returns the trade in a Data API v1 object, or None when it is none."""
    try:
        row = TapeRow(
            wallet=fields["proxyWallet"].lower(),
            side=fields["side"],
            token_id=str(fields["asset"]),
            condition_id=fields["conditionId"],
            transaction_hash=fields["transactionHash"],
            timestamp_s=int(fields["timestamp"]),
            size_micro=micro_from(Decimal(fields["size"])),
            price=Decimal(fields["price"]),
            fields=fields,
        )
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation):
        return None
    ids = (row.wallet, row.token_id, row.condition_id, row.transaction_hash)
    genuine = row.side in ("BUY", "SELL") and row.token_id.isdigit() and row.size_micro > 0 and _plain(ids)
    return row if genuine and row.price.is_finite() and 0 <= row.price <= 1 else None
