"""The search's trials: stored trades through the engine's own actors, many sets of settings in one pass."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal

import attrs

from config.schema import EngineConfig
from engine.adapters.memory.paper_stage import Position
from engine.replay.host import replay
from engine.replay.stored import StoredTape
from protocols.paper import Scorer
from protocols.strategies import EntryModel, Strategy, StrategySettings, StrategyTable, TargetMode
from protocols.tuner_search import Bet, Played, Window

DAY_MS = 86_400_000
SETTLED = ("WON", "LOST", "VOID")


@attrs.frozen
class LoadedTape:
    """Trades of a window, and the share of its markets that they are of."""

    tape: StoredTape
    share: float = 1.0


@attrs.define(eq=False, kw_only=True)
class ReplayTrials:
    """`Trials`. One window's trades are held at a time; `load` returns them, with nothing that became known after its end."""

    config: EngineConfig
    load: Callable[[Window], LoadedTape]
    seed: int
    scorer: Scorer | None = None
    _window: Window | None = attrs.field(init=False, default=None)
    _loaded: LoadedTape | None = attrs.field(init=False, default=None)

    def play(self, candidates: Mapping[str, StrategySettings], window: Window) -> Mapping[str, Played]:
        """Returns what each would have done. Raises `EngineError`."""
        loaded = self._of(window)
        if not loaded.tape.rows:
            return dict.fromkeys(candidates, Played(bets=(), share=loaded.share))
        order = loaded.tape.order(list(candidates.items()), scorer=self.scorer, seed=self.seed)
        return played_by(candidates, replay(self.config, order).ledger.positions.values(), loaded.share)

    def _of(self, window: Window) -> "LoadedTape":
        if self._loaded is None or self._window != window:
            # The old one goes first: two would not fit.
            self._loaded, self._window = None, window
            self._loaded = self.load(window)
        return self._loaded


def played_by(names: Collection[str], positions: Collection[Position], share: float = 1.0) -> dict[str, Played]:
    """Returns what each name did, by token; `share` is the share of markets that were played."""
    ended: defaultdict[str, defaultdict[str, list[Position]]] = defaultdict(lambda: defaultdict(list))
    unsettled = dict.fromkeys(names, 0)
    for one in positions:
        if one.left is not None:
            unsettled[one.order.wallet_id] += 1
        else:
            ended[one.order.wallet_id][one.order.token_id].append(one)
    return {
        name: Played(
            bets=tuple(_bet(token, of_token) for token, of_token in ended[name].items()), unsettled=count, share=share
        )
        for name, count in unsettled.items()
    }


def _bet(token_id: str, positions: list[Position]) -> Bet:
    orders = [one.order for one in positions]
    shares = sum(order.shares for order in orders)
    return Bet(
        token_id=token_id,
        day=min(order.trade_ms for order in orders) // DAY_MS,
        orders=len(orders),
        wins=sum(one.pnl > 0 for one in positions),
        staked_micro=sum(_micro(order.cost) for order in orders),
        pnl_micro=sum(_micro(one.pnl) for one in positions),
        held_shares_micro=sum(_micro(one.order.shares) for one in positions if one.outcome in SETTLED),
        price=float(sum(order.stake for order in orders) / shares) if shares else 0.5,
    )


def as_played(strategy: Strategy, table: StrategyTable) -> StrategySettings:
    """Returns a strategy's settings as past trades can be played with them: its targets named, on at all times.

    Stored trades have no order books, so that a fill from the book is played as one at the leader's price and 0.3 %.
    """
    settings = strategy.settings
    targets: Collection[str] = settings.target_traders
    mode = settings.target_mode
    if mode is TargetMode.FOLLOWED:
        targets, mode = table.followed.get(strategy.owner_id, ()), TargetMode.LIST
    elif mode is TargetMode.LEADERBOARD:
        targets, mode = table.leaderboard, TargetMode.LIST
    entry = EntryModel.SLIP if settings.entry_model is EntryModel.BOOK else settings.entry_model
    return attrs.evolve(
        settings,
        target_mode=mode,
        target_traders=tuple(sorted(targets)),
        start_date=None,
        end_date=None,
        is_active=True,
        entry_model=entry,
    )


def _micro(value: Decimal) -> int:
    return round(value * 1_000_000)
