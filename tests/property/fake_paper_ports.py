"""What the forward tester looks at, in memory: strategies, markets, records, holdings, scores, books."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
import trio

from engine.adapters.memory.paper_ledger import MemoryPaperLedger
from engine.forward_wiring import PaperPorts
from protocols.clock import WallClock
from protocols.decisions import Absent, Book, Inputs, MarketInput, Score, TraderRecord
from protocols.errors import RejectedError, TransientError
from protocols.strategies import StrategyTable


@attrs.define(eq=False)
class FakeStrategyTableStore:
    """`StrategyTableStore`."""

    current: StrategyTable
    fails: int = 0

    async def version(self) -> int:
        await self._step()
        return self.current.version

    async def table(self) -> StrategyTable:
        await self._step()
        return self.current

    async def _step(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.fails:
            self.fails -= 1
            raise TransientError("database down")


@attrs.define(eq=False)
class FakeDecisionMarkets:
    """`DecisionMarkets`; `now_ms` says when it is read."""

    stored: dict[str, MarketInput] = attrs.field(factory=dict)
    now_ms: Callable[[], int] = lambda: 0
    queries: int = 0
    down_until_s: float = 0.0

    async def find(self, condition_ids: Sequence[str]) -> Mapping[str, MarketInput]:
        await trio.lowlevel.checkpoint()
        if trio.current_time() < self.down_until_s:
            raise TransientError("database down")
        self.queries += 1
        return {id_: self.stored[id_] for id_ in condition_ids if id_ in self.stored}


@attrs.define(eq=False)
class FakeRecords:
    """`TraderRecords`."""

    records: dict[str, TraderRecord] = attrs.field(factory=dict)
    queries: int = 0

    async def find(self, wallets: Sequence[str]) -> Mapping[str, TraderRecord]:
        await trio.lowlevel.checkpoint()
        self.queries += 1
        return {wallet: self.records[wallet] for wallet in wallets if wallet in self.records}

    async def changed_since(self, position: int) -> tuple[Mapping[str, TraderRecord], int]:
        await trio.lowlevel.checkpoint()
        return {}, 1


@attrs.define(eq=False)
class FakeTraderHoldings:
    """`TraderHoldings`: what the venue says of (wallet, token), and nothing of others."""

    micro: dict[tuple[str, str], int] = attrs.field(factory=dict)
    portfolios: dict[str, Decimal] = attrs.field(factory=dict)

    async def holding_micro(self, wallet: str, condition_id: str, token_id: str) -> int:
        await trio.lowlevel.checkpoint()
        if (wallet, token_id) not in self.micro:
            raise RejectedError("the venue says nothing")
        return self.micro[wallet, token_id]

    async def portfolio_usd(self, wallet: str) -> Decimal:
        await trio.lowlevel.checkpoint()
        if wallet not in self.portfolios:
            raise TransientError("no answer")
        return self.portfolios[wallet]


@attrs.define(eq=False)
class FakeScorer:
    """`Scorer`: scores by trade id, after a while."""

    scores: dict[str, Score] = attrs.field(factory=dict)
    takes_s: float = 0.0
    fails: bool = False

    def at_hand(self, inputs: Inputs) -> Score | None:
        return None

    async def score(self, inputs: Inputs) -> Score:
        await trio.sleep(self.takes_s)
        if self.fails:
            raise RuntimeError("a model of ours")
        return self.scores.get(inputs.trade_id, Absent(reason="unknown_trade"))


@attrs.define(eq=False)
class FakeBookDepths:
    """`BookDepths`."""

    books: dict[str, Book] = attrs.field(factory=dict)
    calls: int = 0

    async def depth(self, token_id: str) -> Book | None:
        await trio.lowlevel.checkpoint()
        self.calls += 1
        return self.books.get(token_id)


class NoResolutions:
    """The venue resolves nothing."""

    async def payouts(self, condition_ids: Sequence[str]) -> dict[str, tuple[int, ...]]:
        await trio.lowlevel.checkpoint()
        return {}


def idle_ports(clock: WallClock, **world: Any) -> PaperPorts:
    """Ports of a forward tester without strategies."""
    ledger = MemoryPaperLedger(clock=clock)
    return PaperPorts(
        strategies=FakeStrategyTableStore(StrategyTable(version=1, strategies=(), followed={}, leaderboard=())),
        paper=ledger,
        settlement=ledger,
        decision_markets=FakeDecisionMarkets(),
        records=FakeRecords(),
        trader_holdings=FakeTraderHoldings(),
        resolutions=NoResolutions(),
        books=FakeBookDepths(),
        scorer=FakeScorer(),
        **world,
    )
