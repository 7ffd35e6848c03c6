"""What stands behind the ports of the actors during a replay: memory, and silence where a tape has no data."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal

import attrs
import trio

from actors.rules.backtest.record_book import RecordBook
from engine.adapters.memory.paper_ledger import MemoryPaperLedger
from protocols.clock import WallClock
from protocols.decisions import Absent, Book, Decision, Inputs, Score, TraderRecord
from protocols.errors import RejectedError
from protocols.ingest import TargetSets, WriteResult
from protocols.markets import Market
from protocols.paper import Holding, SeenFill
from protocols.receipts import decisions_of
from protocols.score_table import ScoreTable
from protocols.strategies import StrategyTable
from protocols.timestamps import utc_datetime
from protocols.trades import LanedTrade

DAY_MS = 86_400_000


@attrs.define(eq=False)
class ReplayClock:
    """`WallClock`: the time of the tape's first trade, and as much later as virtual time has gone on."""

    began_ms: int

    def now_ms(self) -> int:
        """Returns the time of the tape, epoch ms."""
        return self.began_ms + round(trio.current_time() * 1000)


@attrs.define(eq=False, kw_only=True)
class ReplayLedger(MemoryPaperLedger):
    """The store in memory; it counts reasons and finds a trader's fills without looking at all trades."""

    watch: Callable[[Decision], None] | None = None
    """Is told every decision that is applied."""
    reasons: Counter[tuple[int, str]] = attrs.field(init=False, factory=Counter)
    """Decisions by the strategy's number and reason."""
    _fills: defaultdict[tuple[str, str], list[SeenFill]] = attrs.field(init=False, factory=lambda: defaultdict(list))

    async def write(self, trades: Sequence[LanedTrade]) -> WriteResult:
        """Takes trades and decisions as its base does."""
        new = [laned.trade for laned in trades if laned.trade.trade_id not in self.trades]
        result = await super().write(trades)
        decisions = [decision for laned in trades for decision in decisions_of(laned)]
        for decision, receipt in zip(decisions, result.receipts, strict=True):
            if receipt.applied:
                self.reasons.update(zip(decision.strategies, decision.reasons, strict=True))
                if self.watch is not None:
                    self.watch(decision)
        fills = {trade.trade_id: trade for trade in new}
        for id_, trade in fills.items():
            self._fills[trade.wallet, trade.token_id].append(
                SeenFill(
                    trade_id=id_,
                    wallet=trade.wallet,
                    token_id=trade.token_id,
                    side=trade.side,
                    size_micro=trade.size_micro,
                    trade_ms=trade.trade_ms,
                )
            )
        return result

    async def holdings(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[Holding], list[SeenFill]]:
        """Returns every fill of pairs of wallet and token so far; of holdings a tape says nothing."""
        return [], [fill for pair in dict.fromkeys(pairs) for fill in self._fills.get(pair, ())]


@attrs.frozen(eq=False)
class FixedStrategies:
    """`StrategyTableStore` of strategies that do not change."""

    fixed: StrategyTable

    async def version(self) -> int:
        """Returns always the same."""
        return self.fixed.version

    async def table(self) -> StrategyTable:
        """Returns the table."""
        return self.fixed


@attrs.frozen(eq=False)
class FixedTargets:
    """`TargetView` of whom the strategies copy."""

    sets: TargetSets

    def current(self) -> TargetSets:
        """Returns the sets."""
        return self.sets


@attrs.frozen(eq=False)
class FixedRecords:
    """`TraderRecords` as a file says them, the same all the time."""

    records: Mapping[str, TraderRecord]

    async def find(self, wallets: Sequence[str]) -> Mapping[str, TraderRecord]:
        """Returns the records that there are."""
        return {wallet: self.records[wallet] for wallet in wallets if wallet in self.records}

    async def changed_since(self, position: int) -> tuple[Mapping[str, TraderRecord], int]:
        """Returns the position of now, and never anything new."""
        if position:
            await trio.sleep_forever()
        return {}, 1


@attrs.define(eq=False)
class RecordsOfTheDay:
    """`TraderRecords` as they stood when the day of the tape began; they change at midnight, UTC."""

    book: RecordBook
    clock: WallClock
    _asked: dict[str, None] = attrs.field(init=False, factory=dict)

    async def find(self, wallets: Sequence[str]) -> Mapping[str, TraderRecord]:
        """Returns the records that there are."""
        self._asked.update(dict.fromkeys(wallets))
        return self._found(wallets, self._today())

    async def changed_since(self, position: int) -> tuple[Mapping[str, TraderRecord], int]:
        """Returns everybody's records when the next day has begun. Positions are days."""
        today = self._today()
        if not position:
            return {}, today.toordinal()
        if position == today.toordinal():
            # Who polled would wake a replay of a month half a million times.
            await trio.sleep((DAY_MS - self.clock.now_ms() % DAY_MS) / 1000)
            today = self._today()
        return self._found(list(self._asked), today), today.toordinal()

    def _found(self, wallets: Sequence[str], today: date) -> Mapping[str, TraderRecord]:
        records = {wallet: self.book.as_of(wallet, today) for wallet in wallets}
        return {wallet: record for wallet, record in records.items() if record is not None}

    def _today(self) -> date:
        return utc_datetime(self.clock.now_ms()).date()


@attrs.frozen(eq=False)
class TableScorer:
    """`Scorer` over scores that were read before the replay began."""

    table: ScoreTable | None

    async def score(self, inputs: Inputs) -> Score:
        """Returns what is at hand."""
        return self.at_hand(inputs)

    def at_hand(self, inputs: Inputs) -> Score:
        """Returns the score of a trade; there is none without a file."""
        return Absent(reason="no_scorer") if self.table is None else self.table.score(inputs)


class Silence:
    """Every port that a tape has no data for: books, holdings, resolutions, catalogue, journal, gaps, latency."""

    size_bytes = 0

    async def depth(self, token_id: str) -> Book | None:
        """Returns no book."""
        return None

    async def holding_micro(self, wallet: str, condition_id: str, token_id: str) -> int:
        """Raises `RejectedError`: what the tape shows of his trades has to do."""
        raise RejectedError("a tape does not know holdings")

    async def portfolio_usd(self, wallet: str) -> Decimal:
        """Raises `RejectedError`."""
        raise RejectedError("a tape does not know portfolios")

    async def payouts(self, condition_ids: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
        """Returns nothing."""
        return {}

    async def markets(self, condition_ids: Sequence[str], *, closed: bool | None) -> list[Market]:
        """Returns no market: all that there are are at hand."""
        return []

    async def missing(self, condition_ids: Sequence[str]) -> list[str]:
        """Returns nothing."""
        return []

    async def traded_without_market(self, after: str, ids_max: int) -> tuple[list[str], str]:
        """Returns nothing."""
        return [], ""

    async def upsert(self, markets: Sequence[Market]) -> None:
        """Keeps nothing."""

    async def append(self, trades: Sequence[LanedTrade]) -> None:
        """Raises `RejectedError`: the store in memory never sends anything here."""
        raise RejectedError("a replay has no journal")

    async def read_oldest(self) -> tuple[LanedTrade, ...] | None:
        """Returns nothing."""
        return None

    async def discard_oldest(self) -> None:
        """Does nothing."""

    def observe(self, value: float) -> None:
        """Wall durations are no part of a replay."""
