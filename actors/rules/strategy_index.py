"""Which strategies may copy a wallet: a look-up, whatever the number of strategies (O(strategies that may match))."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import attrs

from actors.rules.strategy.eligibility import Chain
from protocols.conflicts import Circle
from protocols.decide_shards import part_in_shard, shard_of
from protocols.strategies import (
    Aggregation,
    AllocationMethod,
    ConflictPolicy,
    EntryModel,
    ProportionalBasis,
    Strategy,
    StrategySettings,
    StrategyTable,
    TargetMode,
)

NOW = "now"
"""The part of strategies that need nothing but what is in memory."""
TRANSACTION = "tx"
"""In a part: decides about all fills of a transaction together."""
PLANS_MAX = 20_000


@attrs.frozen(kw_only=True, eq=False)
class Runner:
    """A strategy, ready to judge."""

    strategy: Strategy
    chain: Chain
    part: str
    needs: "Needs"
    shard: int | None = None
    """None: one process decides for all strategies."""

    def sale_part(self, book_delay_ms: int | None) -> str:
        """Returns the part of its sales into a book so long after, or at once."""
        return part_in_shard(Needs(book_delay_ms=book_delay_ms).part, self.shard)

    @property
    def settings(self) -> StrategySettings:
        """Returns the settings of the version that runs."""
        return self.strategy.settings


@attrs.frozen(kw_only=True)
class Needs:
    """What has to be at hand before a strategy can decide. Strategies with equal needs decide together."""

    transaction: bool = False
    """All fills of the transaction."""
    window_s: int = 0
    """All fills within so many seconds; 0: does not aggregate so."""
    model: bool = False
    portfolio: bool = False
    book_delay_ms: int | None = None
    """The book, so long after the decision; None: no book."""
    sides: bool = False
    """How its targets stand in the market."""
    order: bool = False
    """Decisions in a market and event one after the other, since each depends on what the one before bought."""

    @property
    def aggregates(self) -> bool:
        """Whether several fills are one decision."""
        return self.transaction or self.window_s > 0

    @property
    def part(self) -> str:
        """Returns the name under which such strategies claim a trade."""
        names = [TRANSACTION] if self.transaction else []
        if self.window_s:
            names.append(f"w{self.window_s}")
        if self.model:
            names.append("model")
        if self.portfolio:
            names.append("portfolio")
        if self.book_delay_ms is not None:
            names.append(f"book{self.book_delay_ms}")
        if self.sides:
            names.append("sides")
        if self.order:
            names.append("order")
        return "+".join(names) or NOW


def needs_of(settings: StrategySettings) -> Needs:
    """Returns what a strategy waits for before it decides on a BUY."""
    return Needs(
        transaction=settings.aggregate is Aggregation.TRANSACTION,
        window_s=settings.aggregate_window_s if settings.aggregate is Aggregation.WINDOW else 0,
        model=settings.use_model,
        portfolio=settings.allocation_method is AllocationMethod.PROPORTIONAL
        and settings.proportional_basis is ProportionalBasis.PORTFOLIO,
        book_delay_ms=settings.fill_delay_ms if settings.entry_model is EntryModel.BOOK else None,
        sides=settings.conflict_policy in (ConflictPolicy.MAJORITY, ConflictPolicy.NET),
        order=settings.conflict_policy is ConflictPolicy.FIRST
        or settings.max_targets_per_side is not None
        or settings.max_event_exposure_usd is not None,
    )


Plan = tuple[tuple[str, tuple[Runner, ...]], ...]
"""Parts with the strategies of each, in the order of their numbers."""


@attrs.define(eq=False)
class StrategyIndex:
    """All strategies at one version, by the wallets that they copy."""

    version: int = -1
    runners: Mapping[str, Runner] = attrs.field(factory=dict)
    """By wallet_id, also those that copy nothing at present: what they hold is sold when its trader sells."""
    circles: Mapping[str, Circle] = attrs.field(factory=dict)
    """By wallet_id of strategies that ask how their targets stand: who these are; equal ones are one object."""
    _audiences: Sequence[tuple[Runner, ...]] = ()
    _by_wallet: Mapping[str, tuple[int, ...]] = attrs.field(factory=dict)
    """Audiences that a wallet belongs to."""
    _leaderboard: frozenset[str] = frozenset()
    _of_leaderboard: tuple[Runner, ...] = ()
    _of_everyone: tuple[Runner, ...] = ()
    _plans: dict[tuple[tuple[int, ...], bool], Plan] = attrs.field(init=False, factory=dict)
    """By audiences and place on the leaderboard: wallets that the same strategies copy share one."""

    def plan(self, wallet: str) -> Plan:
        """Returns the parts of a wallet's trades; empty when nobody copies him."""
        key = (self._by_wallet.get(wallet, ()), wallet in self._leaderboard)
        found = self._plans.get(key)
        if found is None:
            found = self._made_plan(*key)
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            self._plans[key] = found
        return found

    def _made_plan(self, audiences: tuple[int, ...], is_leader: bool) -> Plan:
        chosen = list(self._of_everyone)
        for audience in audiences:
            chosen += self._audiences[audience]
        if is_leader:
            chosen += self._of_leaderboard
        parts: dict[str, list[Runner]] = {}
        for runner in sorted(chosen, key=lambda one: one.strategy.number):
            parts.setdefault(runner.part, []).append(runner)
        return tuple((part, tuple(runners)) for part, runners in parts.items())


def index_of(
    table: StrategyTable,
    previous: StrategyIndex,
    compile_chain: Callable[[StrategySettings], Chain],
    shards: Collection[int] | None = None,
) -> StrategyIndex:
    """Returns the index of a table. Chains of strategies that did not change are taken over from `previous`.

    `shards`: only strategies of these are run here; None: all of them, undivided.
    """
    sharded = shards is not None
    runners = {
        strategy.wallet_id: _runner(strategy, previous, compile_chain, sharded=sharded)
        for strategy in table.strategies
        if shards is None or shard_of(strategy.number) in shards
    }
    active = [runner for runner in runners.values() if runner.settings.is_active]
    audiences: list[list[Runner]] = []
    by_wallet: dict[str, tuple[int, ...]] = {}
    numbers: dict[object, int] = {}
    for runner in active:
        key, wallets = _audience(runner, table)
        if key is None:
            continue
        if key not in numbers:
            numbers[key] = len(audiences)
            audiences.append([])
            for wallet in dict.fromkeys(wallets):
                by_wallet[wallet] = (*by_wallet.get(wallet, ()), numbers[key])
        audiences[numbers[key]].append(runner)
    return StrategyIndex(
        version=table.version,
        runners=runners,
        circles=_circles(runners.values(), table),
        audiences=[tuple(one) for one in audiences],
        by_wallet=by_wallet,
        leaderboard=frozenset(table.leaderboard),
        of_leaderboard=_with_mode(active, TargetMode.LEADERBOARD),
        of_everyone=_with_mode(active, TargetMode.EVERYONE),
    )


def _runner(
    strategy: Strategy, previous: StrategyIndex, compile_chain: Callable[[StrategySettings], Chain], *, sharded: bool
) -> Runner:
    before = previous.runners.get(strategy.wallet_id)
    if before is not None and before.strategy == strategy:
        return before
    needs, shard = needs_of(strategy.settings), shard_of(strategy.number) if sharded else None
    return Runner(
        strategy=strategy,
        chain=compile_chain(strategy.settings),
        part=part_in_shard(needs.part, shard),
        needs=needs,
        shard=shard,
    )


def _audience(runner: Runner, table: StrategyTable) -> tuple[object | None, Sequence[str]]:
    """Strategies that mean the same wallets share an audience, so that a wallet costs no memory for each strategy."""
    settings = runner.settings
    if settings.target_mode is TargetMode.LIST:
        return settings.target_traders, settings.target_traders
    if settings.target_mode is TargetMode.FOLLOWED:
        owner = runner.strategy.owner_id
        return owner, tuple(table.followed.get(owner, ()))
    return None, ()


def _circles(runners: Iterable[Runner], table: StrategyTable) -> dict[str, Circle]:
    made: dict[object, Circle] = {}
    circles = {}
    for runner in runners:
        if not runner.needs.sides:
            continue
        mode, excluded = runner.settings.target_mode, runner.settings.excluded_traders
        key, wallets = _audience(runner, table)
        if mode is TargetMode.LEADERBOARD:
            wallets = tuple(table.leaderboard)
        counted = None if mode is TargetMode.EVERYONE else frozenset(wallets)
        circles[runner.strategy.wallet_id] = made.setdefault(
            (mode, key, excluded), Circle(counted, frozenset(excluded))
        )
    return circles


def _with_mode(runners: Sequence[Runner], mode: TargetMode) -> tuple[Runner, ...]:
    return tuple(runner for runner in runners if runner.settings.target_mode is mode)
