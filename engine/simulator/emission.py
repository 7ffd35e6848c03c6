"""Rows that somebody asks the venue to have matched now: the `/emit` of the control API."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.simulator.market import MarketDirectory
from engine.simulator.matches import Block, Match
from engine.simulator.seeds import hash_hex
from engine.simulator.tape import TapeRow, markets_of, row_from
from protocols.clock import Random, WallClock


class EmissionError(ValueError):
    """The rows asked for make no sense."""


class Emission:
    """Makes a block from rows in the Data API's spelling, filling in what they leave out."""

    def __init__(self, markets: MarketDirectory, *, clock: WallClock, rng: Random) -> None:
        self._markets = markets
        self._clock = clock
        self._rng = rng

    def block(self, rows: Sequence[Mapping[str, Any]], *, keep_time: bool = False) -> Block:
        """Returns the matches that the rows describe, one for each transaction, its first row the taker's.

        A row needs `proxyWallet`. `side` is BUY, `size` 10 and `price` the market's by default; without `asset` and
        `conditionId` it happens in the first market, without `transactionHash` in a transaction of its own. A row with
        `isTaker` says for itself. Raises `EmissionError`.
        """
        transactions: dict[str, list[TapeRow]] = {}
        for place, fields in enumerate(rows):
            row = row_from(self._completed(fields))
            if row is None:
                raise EmissionError(f"trades[{place}] is no trade row")
            transactions.setdefault(row.transaction_hash, []).append(row)
        markets = markets_of([row for each in transactions.values() for row in each], self._markets)
        self._markets.add_all(markets.values())
        matches = []
        for transaction_hash, each in transactions.items():
            try:
                fills = tuple(
                    row.matched(markets[row.condition_id], is_taker=bool(row.fields.get("isTaker", place == 0)))
                    for place, row in enumerate(each)
                )
            except ValueError:
                raise EmissionError(f"{transaction_hash}: a token does not belong to its market") from None
            timestamp_s = each[0].timestamp_s if keep_time else None
            matches.append(Match(transaction_hash=transaction_hash, fills=fills, timestamp_s=timestamp_s))
        return Block(offset_s=0.0, matches=matches)

    def _completed(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        row = dict(fields)
        if "asset" not in row:
            known = self._markets.with_condition(str(row.get("conditionId", ""))) or next(iter(self._markets), None)
            if known is not None:
                row["asset"] = known.token_ids[0]
        market = self._markets.with_token(str(row.get("asset", "")))
        if market is not None:
            row.setdefault("conditionId", market.condition_id)
            row.setdefault("price", market.price_of(market.index_of(str(row["asset"]))))
        row.setdefault("side", "BUY")
        row.setdefault("size", 10)
        row.setdefault("price", Decimal("0.5"))
        row.setdefault("timestamp", self._clock.now_ms() // 1000)
        row.setdefault("transactionHash", hash_hex(self._rng))
        return row
