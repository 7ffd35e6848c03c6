"""Three nodes, four accounts, one database, one venue, one clock: everything of one seed."""

from collections.abc import Collection, Sequence
from typing import Any

import attrs
import trio
from simulation.cluster_sim.cluster_database import ClusterDatabase
from simulation.cluster_sim.cluster_node import Node
from simulation.cluster_sim.freezer import Freezer
from simulation.cluster_sim.lane_world import LaneWorld
from simulation.cluster_sim.redis_model import RedisServer
from simulation.live_sim.sim_world import Mortal, SimWorld

from engine.adapters.memory.live_ledger import MemoryLiveLedger
from engine.adapters.memory.live_watch import MemoryLiveWatch
from protocols.clock import Random
from protocols.errors import FencedError, TransientError
from protocols.live.elsewhere import HeldCopy
from protocols.live.exits import ExitStatus
from protocols.live.operating import ManualOrder, OrderView
from protocols.live.orders import Side
from protocols.receipts import Receipt

NODES = 3
ACCOUNTS = ("east", "north", "south", "west")


@attrs.frozen(kw_only=True)
class Build:
    """What of the fencing is there: all of it, but in builds that have to fail."""

    checks_fence: bool = True
    """Every write looks whether its leases are its own."""
    holds_back: bool = True
    """Nothing is sent to the venue when a lease may be somebody else's."""
    tells_of_takeovers: bool = True
    """Who extends a lease that he lost is told so."""
    asks_at_the_wire: bool = True
    """That is asked once more when the connection is there, and not only before it is made."""
    rereads: bool = True
    """What lay in a stream that is lost is read again from history."""
    trades: bool = True
    """Accounts are traded. Without: trades of lanes 1 and 2 only, which is many times as fast."""


class ClusterWorld(SimWorld):
    """`SimWorld` with nodes in the place of one engine."""

    database: ClusterDatabase

    def __init__(self, seed: int, freezer: Freezer, build: Build) -> None:
        super().__init__(seed)
        self.freezer, self.holds_back, self.asks_at_the_wire = freezer, build.holds_back, build.asks_at_the_wire
        rng = self.rng("cluster")
        self.ttl_s: float = rng.choice((5.0, 15.0))
        self.database = ClusterDatabase(
            rng=self.rng("database"),
            note=self.note,
            statement_timeout_s=rng.choice((3.0, 30.0)),
            checks_fence=build.checks_fence,
            tells_of_takeovers=build.tells_of_takeovers,
        )
        self.bells_lost = 0.0
        self.takeovers_s: list[float] = []
        self.submits_seen = 0
        self.trades = build.trades
        self.lanes = self._lanes(build)
        self.copies, self.auditors = _Copies(self), list[Any]()
        self.nodes = [
            Node(
                self,
                number,
                decides=number == 0,
                drift=rng.choice((0.0, 0.0, 0.02, 0.1)),
                ahead_ms=rng.randint(-300, 300),
            )
            for number in range(NODES)
        ]

    def _lanes(self, build: Build) -> LaneWorld:
        rng = self.rng("lanes")
        edge = attrs.evolve(self.config.redis, stream_items_max=rng.choice((100, 20_000)))
        self.lane_config = attrs.evolve(self.config, redis=edge)
        redis = RedisServer(
            rng=self.rng("redis"),
            note=self.note,
            items_max=edge.stream_items_max,
            take_over_idle_s=edge.take_over_idle_ms / 1000,
            timeout_s=edge.timeout_s,
        )
        return LaneWorld(
            rng=rng,
            clock=self.clock,
            redis=redis,
            note=self.note,
            stream=self.config.stream,
            rereads=build.rereads,
        )

    def account_names(self, rng: Random) -> Sequence[str]:
        return ACCOUNTS

    def strategies_of(self, rng: Random) -> int:
        return rng.randint(4, 6)

    @property
    def mortals(self) -> Sequence[Mortal]:  # type: ignore[override]
        """Actors of nodes that are awake."""
        return [one for node in self.nodes if not node.is_frozen for one in (*node.mortals, *node.lanes)]

    @mortals.setter
    def mortals(self, _: object) -> None: ...

    @property
    def live(self) -> "Front | None":  # type: ignore[override]
        """Who takes orders by hand, and is told what was committed."""
        return Front(self)

    @live.setter
    def live(self, _: object) -> None: ...

    @property
    def decider(self) -> Node | None:
        """The node that decides, if it runs and has read what is held."""
        [node] = [one for one in self.nodes if one.decides]
        return None if node.side is None or node.is_frozen or node.way.is_cut else node

    def kill(self) -> None:
        self.rng_of("kills").choice(self.nodes).kill()

    def rng_of(self, purpose: str) -> Random:
        kept: dict[str, Random] = self.__dict__.setdefault("_rngs", {})
        return kept.setdefault(purpose, self.rng(purpose))

    def ledger_of(self, accounts: Collection[str]) -> MemoryLiveLedger:
        return MemoryLiveLedger(
            clock=self.clock,
            not_found_interval_ms=self.ledger.not_found_interval_ms,
            state=self.ledger.state,
            accounts=frozenset(accounts),
        )

    def watch_of(self, accounts: Collection[str]) -> MemoryLiveWatch:
        return MemoryLiveWatch(self.ledger.state, frozenset(accounts), self.watch.reports)

    def open_work(self, accounts: Collection[str]) -> "_OpenWork":
        return _OpenWork(self, frozenset(accounts))

    def ring(self) -> None:
        """NOTIFY: each node hears it a moment later, or never."""
        for node in self.nodes:
            self.database.nursery.start_soon(self._ring, node, node.owner)

    async def _ring(self, node: Node, owner: str) -> None:
        rng = self.rng_of("bells")
        await trio.sleep(self.database.latency_s * rng.uniform(0.2, 3))
        is_lost = rng.random() < self.bells_lost or node.way.is_cut or self.database.down
        if not is_lost and node.owner == owner and node.watch is not None:
            node.watch.ring()

    def begins(self, node: Node, accounts: Sequence[str]) -> None:
        """Told when a node begins to trade accounts."""
        for one in self.auditors:
            one.begins(node, accounts)

    def submits(self, node: Node, account: str) -> None:
        """Told when the first byte of an order leaves a node."""
        self.submits_seen += 1
        for one in self.auditors:
            one.submits(node, account)


@attrs.define(eq=False)
class Front:
    """What the others need of an engine: the part that commits, and orders by hand, wherever their account is traded."""

    world: ClusterWorld

    @property
    def manual(self) -> "Front":
        return self

    def committed(self, receipts: Sequence[Receipt]) -> None:
        node = self.world.decider
        if node is not None and node.side is not None:
            node.side.committed(receipts)

    async def place(self, order: ManualOrder, user_id: str) -> OrderView:
        view: OrderView = await self._ask(order.account, lambda live: live.manual.place(order, user_id))
        return view

    async def cancel(self, order_ids: Sequence[str]) -> object:
        account = self.world.ledger.state.orders[order_ids[0]].account
        return await self._ask(account, lambda live: live.manual.cancel(order_ids))

    async def _ask(self, account: str, work: Any) -> Any:
        found = [node for node in self.world.nodes if account in node.trades]
        await trio.lowlevel.checkpoint()
        if not found:
            raise TransientError("nobody trades the account")
        try:
            return await found[0].ask(work)
        except FencedError as error:
            raise TransientError("taken over meanwhile") from error


@attrs.define(eq=False)
class _Copies:
    """`HeldCopyStore`, with the SQL of `live_elsewhere_store.py` written again."""

    world: ClusterWorld

    async def held(self) -> Sequence[HeldCopy]:
        found = {
            HeldCopy(
                one.order.intent.trader, one.order.intent.condition_id, one.order.intent.token_id, one.ft_wallet_id
            ): 0
            for one in self.world.ledger.state.orders.values()
            if one.order.intent.side is Side.BUY
            and (one.order.shares_open > 0 or not one.order.ended)
            and one.order.intent.trader is not None
            and one.ft_wallet_id is not None
        }
        return list(found)

    async def ring(self) -> None:
        self.world.ring()


@attrs.define(eq=False)
class _OpenWork:
    """`OpenWork` of some accounts, with the SQL of `live_elsewhere_store.py` written again."""

    world: ClusterWorld
    accounts: Collection[str]

    async def waiting(self) -> Sequence[str]:
        state = self.world.ledger.state
        claims = [
            one.order.order_id
            for one in state.orders_of(self.accounts)
            if not one.order.ended and one.order.signed is None
        ]
        exits = [
            one.exit_id
            for one in state.exits.values()
            if one.status is ExitStatus.OPEN and state.is_of(one.strategy_id, self.accounts)
        ]
        return [*claims, *exits]
