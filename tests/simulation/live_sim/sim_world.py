"""One world of live trading on virtual time: a venue, a database, engines that die and are started again."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs
import trio
from property.made_decisions import settings as paper_settings
from simulation.live_sim.sim_drawn import sim_config, sim_settings
from simulation.live_sim.sim_markets import SimMarkets
from simulation.live_sim.sim_network import SimDialer, SimLanes, SimUpstream
from simulation.live_sim.sim_store import Behind, Database
from simulation.live_sim.sim_venue import SimVenue, sim_market

from config.schema import EngineConfig
from engine.adapters.clob_account_api import ClobAccountApi
from engine.adapters.memory.live_ledger import MemoryLiveLedger
from engine.adapters.memory.live_state import MemoryStrategy
from engine.adapters.memory.live_watch import MemoryLiveLogs, MemoryLiveTable, MemoryLiveWatch, MemoryManualStore
from engine.adapters.order_books import ClobOrderBooks
from engine.adapters.order_maker import AccountOrderMaker
from engine.adapters.signer import Signer
from engine.adapters.user_socket import ClobUserDialer
from engine.live_ports import AccountPorts, LivePorts
from engine.live_wiring import LiveTrading, live_trading
from engine.runtime.rate_limit import TokenBucket
from engine.runtime.supervisor import Child, RestartPolicy, Supervisor
from engine.simulator.market import Market
from engine.simulator.seeds import generator
from protocols.clock import Random
from protocols.live.ports import TradingAccount
from protocols.live.settings import LiveStrategy
from protocols.venue.order_typed_data import keccak256

BEGAN_MS = 1_795_000_000_000
CHAIN = 137
TIRELESS = RestartPolicy(restarts_max=100_000, window_s=1e9, delay_first_s=0.05, delay_max_s=0.2)
TRADERS = tuple(f"0x{number:040x}" for number in (0xA1, 0xA2, 0xA3))


class PlannedCrashError(Exception):
    """A bug of ours at a random await."""


class SimClock:
    def now_ms(self) -> int:
        return BEGAN_MS + round(trio.current_time() * 1000)


@attrs.frozen(kw_only=True)
class SimAccount:
    name: str
    signer: Signer
    funder: str
    signature_type: int
    started_usd: Decimal


@attrs.define(eq=False)
class Mortal:
    """An actor that can be made to crash wherever it waits."""

    child: Child
    crashed_s: float = float("-inf")
    has_started: bool = False
    _scope: trio.CancelScope | None = None
    _status: Any = None

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        self._status = task_status
        with trio.CancelScope() as scope:
            self._scope = scope
            await self.child.run(task_status=self)
        self._scope = None
        if scope.cancelled_caught:
            raise PlannedCrashError(self.child.name)

    def started(self, value: None = None) -> None:
        """Before it has started once a crash is a mistake of the deployment."""
        self.has_started = True
        self._status.started()

    def crash(self) -> None:
        if self._scope is not None and self.has_started:
            self.crashed_s = trio.current_time()
            self._scope.cancel()


@attrs.define(eq=False, slots=False)
class SimWorld:
    """Everything of one seed. `log` is what happened, in its order."""

    seed: int
    clock: SimClock = attrs.field(factory=SimClock)
    log: list[str] = attrs.field(factory=list)
    violations: list[str] = attrs.field(factory=list)
    live: LiveTrading | None = None
    mortals: Sequence[Mortal] = ()
    lives: int = 0
    over: bool = False
    redeemed_micro: dict[str, int] = attrs.field(factory=dict)
    """By account."""
    config: EngineConfig = attrs.field(init=False)
    scope: trio.CancelScope | None = None

    def __attrs_post_init__(self) -> None:
        rng = self.rng("world")
        self.venue = SimVenue(self.seed, self.clock, self.note)
        self.database = Database(rng=self.rng("database"), note=self.note)
        self.config = sim_config(rng)
        self.ledger = MemoryLiveLedger(
            clock=self.clock, not_found_interval_ms=round(self.config.live.not_found_interval_s * 1000)
        )
        self.watch, self.table = MemoryLiveWatch(self.ledger.state), MemoryLiveTable(self.ledger.state)
        self.manual, self.logs = MemoryManualStore(self.ledger.state), MemoryLiveLogs()
        self.accounts = [self._account(name, rng) for name in self.account_names(rng)]
        self.markets = [sim_market(number, rng, BEGAN_MS) for number in range(rng.randint(2, 5))]
        self.venue.markets.add_all(self.markets)
        for number in range(self.strategies_of(rng)):
            self._strategy(number, rng)

    def account_names(self, rng: Random) -> Sequence[str]:
        return ("main", "second")[: rng.choice((1, 1, 2))]

    def strategies_of(self, rng: Random) -> int:
        return rng.randint(1, 3)

    def rng(self, purpose: str) -> Random:
        return generator(self.seed, purpose)

    def note(self, what: str) -> None:
        self.log.append(f"{trio.current_time():.6f} {what}")

    def blame(self, what: str) -> None:
        self.note(f"VIOLATION {what}")
        self.violations.append(what)

    def open_markets(self) -> list[Market]:
        return [one for one in self.markets if one.state.value == "open"]

    def kill(self) -> None:
        if self.scope is not None:
            self.note("process killed")
            self.scope.cancel()

    async def run_engines(self, pause_s: Callable[[], float]) -> None:
        """One process after the other on the same database, until the world is over."""
        while not self.over:
            with trio.CancelScope() as self.scope:
                await self._one_engine()
            self.live, self.mortals = None, ()
            await trio.sleep(pause_s())

    async def _one_engine(self) -> None:
        self.lives += 1
        rng = self.rng(f"engine {self.lives}")
        live = live_trading(self.config, self._ports(rng), clock=self.clock, rng=rng)
        supervisor = Supervisor(rng=rng, policy=TIRELESS, on_crash=self._crashed)
        self.note(f"process {self.lives} starts")
        async with trio.open_nursery() as nursery:
            self.live = live
            for child in (*live.services, *live.stages, *live.sources):
                mortal = Mortal(child)
                self.mortals = (*self.mortals, mortal)
                under = Child(name=child.name, run=mortal.run, reads=child.reads, writes=child.writes)
                await nursery.start(supervisor.keep_alive, under, TIRELESS)
            self.note("process is up")
            await trio.sleep_forever()

    def _crashed(self, name: str, error: Exception) -> None:
        self.note(f"crash of {name}: {error!r}"[:200])
        if not _is_planned(error):
            self.blame(f"{name} crashed by itself: {_innermost(error)!r}")

    def _ports(self, rng: Random) -> LivePorts:
        orders, watch = self.database.connection(), self.database.connection()
        markets: Any = SimMarkets(self.venue)
        store: Any = Behind(self.ledger, orders)
        looks: Any = Behind(self.watch, watch)
        books: Any = ClobOrderBooks(api=SimUpstream(self.venue))  # type: ignore[arg-type]
        return LivePorts(
            strategies=Behind(self.table, watch),  # type: ignore[arg-type]
            orders=store,
            logs=Behind(self.logs, watch),  # type: ignore[arg-type]
            reconciliations=looks,
            redemptions=looks,
            exit_rows=looks,
            manual=Behind(self.manual, orders),  # type: ignore[arg-type]
            books=books,
            resolutions=markets,
            decision_markets=markets,
            markets=markets,
            catalog=markets,
            accounts={one.name: self._account_ports(one, rng) for one in self.accounts},
            traded=frozenset(one.name for one in self.accounts),
            is_safe=lambda: True,
            trade_to_order=_Nobody(),
        )

    def _account_ports(self, one: SimAccount, rng: Random) -> AccountPorts:
        lanes: Any = SimLanes(self.venue, self.config.live.order_timeout_s)
        api = ClobAccountApi(
            lanes=lanes,
            reads=lanes,
            signer=one.signer,
            funder=one.funder,
            signature_type=one.signature_type,
            chain_id=CHAIN,
            clock=self.clock,
        )
        maker = AccountOrderMaker(
            account=one.name,
            signer=one.signer,
            funder=one.funder,
            signature_type=one.signature_type,
            api_key=api.api_key,
            chain_id=CHAIN,
            rng=rng,
        )
        gate = TokenBucket(rate_per_s=self.config.live.orders_per_s, burst=self.config.live.orders_burst)
        dialer: Any = SimDialer(self.venue)
        return AccountPorts(
            account=TradingAccount(name=one.name, venue=api, maker=maker, gate=gate, wallet=one.funder),
            sockets=ClobUserDialer(dialer=dialer, api=api),
        )

    def _account(self, name: str, rng: Random) -> SimAccount:
        signer = Signer(keccak256(f"live simulation {name}".encode()))
        signature_type = rng.choice((0, 0, 1, 2, 3))
        funder = signer.address if signature_type == 0 else "0x" + keccak256(f"wallet of {name}".encode())[:20].hex()
        usd = rng.choice((60, 200, 1_000))
        self.venue.exchange.accounts.open(
            funder, collateral_micro=usd * 1_000_000, signature_type=signature_type, signer=signer.address
        )
        return SimAccount(
            name=name, signer=signer, funder=funder.lower(), signature_type=signature_type, started_usd=Decimal(usd)
        )

    def _strategy(self, number: int, rng: Random) -> None:
        account = rng.choice(self.accounts)
        strategy_id, wallet_id = f"LT_{number}", f"FT_{rng.choice((0, number))}"
        settings = sim_settings(rng)
        self.ledger.add_strategy(
            strategy_id,
            MemoryStrategy(account=account.name, ft_wallet_id=wallet_id),
            Decimal(rng.choice((20, 100, 500))),
        )
        self.table.put(
            LiveStrategy(
                strategy_id=strategy_id,
                user_id="00000000-0000-4000-8000-000000000001",
                ft_wallet_id=wallet_id,
                account=account.name,
                is_active=True,
                is_paused=False,
                version=1,
                settings=settings,
                ft_settings=paper_settings(bet_size=Decimal(rng.choice((2, 5, 20))), max_bet=Decimal(100)),
                ft_version=1,
            )
        )


class _Nobody:
    def observe(self, value: float) -> None:
        pass


def _is_planned(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_planned(one) for one in error.exceptions)
    return isinstance(error, PlannedCrashError)


def _innermost(error: BaseException) -> BaseException:
    return _innermost(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
