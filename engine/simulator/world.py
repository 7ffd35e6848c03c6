"""Everything behind the six surfaces: the venue's state and the machinery that moves it."""

from functools import partial
from pathlib import Path

import trio
from starlette.applications import Starlette

from engine.simulator.account_control import AccountControl
from engine.simulator.account_desk import AccountDesk
from engine.simulator.account_events import AccountEvents
from engine.simulator.account_feed import AccountFeed
from engine.simulator.account_habits import AccountHabits
from engine.simulator.clob_reads import ClobReads
from engine.simulator.clob_sockets import ClobSockets
from engine.simulator.clob_trading import ClobTrading
from engine.simulator.control_api import ControlApi
from engine.simulator.cursors import CursorSigner
from engine.simulator.data_api_accounts import DataApiAccounts
from engine.simulator.data_api_v1 import CACHE_AGES_S as AGES_S_V1
from engine.simulator.data_api_v1 import DataApiV1, V1Habits
from engine.simulator.data_api_v2 import CACHE_AGES_S as AGES_S_V2
from engine.simulator.data_api_v2 import DataApiV2
from engine.simulator.delay_line import DelayLine
from engine.simulator.emission import Emission
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.exchange_control import ExchangeControl
from engine.simulator.faults import FaultBoard
from engine.simulator.gamma_api import GammaApi
from engine.simulator.http_faults import FaultyApi
from engine.simulator.ledger import Ledger
from engine.simulator.list_pages import ListPages
from engine.simulator.market import MarketDirectory
from engine.simulator.options import SimulatorOptions
from engine.simulator.platform import Platform
from engine.simulator.player import Player
from engine.simulator.publisher import Publisher
from engine.simulator.rankings import Rankings
from engine.simulator.relayer_reads import RelayerReads
from engine.simulator.response_cache import ResponseCache
from engine.simulator.rtds_server import RtdsServer, RtdsSettings
from engine.simulator.tape import Tape, read_recording
from engine.simulator.trade_query import TradeFeed, Visibility
from protocols.clock import Random, WallClock


class World:
    """One simulated venue."""

    def __init__(self, options: SimulatorOptions, *, clock: WallClock, rng: Random) -> None:
        self._options = options
        self._clock = clock
        self._began_s = trio.current_time()
        self.stop = trio.Event()
        self.faults = FaultBoard(clock=clock, rng=rng)
        self.ledger = Ledger(options.fills_max)
        self.account_events = AccountEvents(options.fills_max)
        self.account_desk = AccountDesk(
            self.ledger, self.account_events, seed=options.seed, lag_scale=options.lag_scale
        )
        self.markets = MarketDirectory()
        self.rtds = RtdsServer(
            RtdsSettings(
                send_buffer_bytes_max=options.send_buffer_bytes_max,
                ping_timeout_s=options.ping_timeout_s,
            ),
            self.faults,
            rng=rng,
        )
        self.line = DelayLine(self.rtds.deliver, self.faults, rng=rng, lag_scale=options.lag_scale)
        self.publisher = Publisher(
            self.ledger, self.markets, self.line, clock=clock, seed=options.seed, lag_scale=options.lag_scale
        )
        self.exchange = Exchange(
            self.markets, seed=options.seed, rng=rng, lag_scale=options.lag_scale, publish=self.publisher.publish
        )
        self.trading = ClobTrading(self.exchange, clock=clock)
        self.clob_sockets = ClobSockets(
            self.exchange, self.faults, clock=clock, buffer_bytes_max=options.send_buffer_bytes_max
        )
        self.publisher.on_publish.append(self.clob_sockets.market.published)
        self.player = Player(self.publisher.publish, self.rtds.wait_room)
        self.emission = Emission(self.markets, clock=clock, rng=rng)
        self.apis = self._apis(rng)
        self.control = Starlette(
            routes=[*ControlApi(self).routes(), *AccountControl(self).routes(), *ExchangeControl(self).routes()]
        )

    async def load(self) -> None:
        """Puts the tape or the synthetic platform of the options on, and starts it unless they say paused."""
        options = self._options
        if options.tape is not None:
            await self.load_tape(options.tape, speed=options.speed, keep_time=options.keep_time)
        else:
            self.load_platform()
        if not options.start_paused:
            self.player.start()

    def load_platform(self) -> None:
        """Replaces what is played by the synthetic platform."""
        options = self._options
        platform = Platform(
            self.markets,
            seed=options.seed,
            origin_ms=self._clock.now_ms(),
            wallets=options.wallets,
            markets=options.markets,
            rate_scale=options.rate_scale,
            life_scale=options.life_scale,
            speed=options.speed or 1.0,
            habits=AccountHabits(self.account_desk, seed=options.seed, redeemed_share=options.redeemed_share),
        )
        self.player.load(platform, speed=options.speed)

    async def load_tape(self, path: Path, *, speed: float | None, keep_time: bool) -> None:
        """Replaces what is played by a tape. Raises `TapeError`."""
        recording = await trio.to_thread.run_sync(partial(read_recording, path))
        tape = Tape(recording, self.markets, seed=self._options.seed, now_ms=self._clock.now_ms(), keep_time=keep_time)
        self.player.load(tape, speed=speed)

    def now_ms(self) -> int:
        """Returns the wall-clock time of this world."""
        return self._clock.now_ms()

    def request_stop(self) -> None:
        """Asks whoever serves this world to end it."""
        self.stop.set()

    def describe(self) -> dict[str, object]:
        """Returns the state for `GET /state`."""
        return {
            "uptime_s": round(trio.current_time() - self._began_s, 3),
            "now_ms": self._clock.now_ms(),
            "seed": self._options.seed,
            **self.rtds.describe(),
            "rows_in_flight": len(self.line),
            "rows_overflowed": self.line.overflowed,
            "fills": {"total": self.ledger.total, "kept": len(self.ledger), "evicted": self.ledger.evicted},
            "account_events": len(self.account_events),
            "markets": {"total": len(self.markets), **self.markets.counts()},
            "tape": self.player.describe(),
            "finished": self.player.describe()["finished"] and not len(self.line),
            "exchange": {**self.exchange.orders.describe(), "trades": len(self.exchange.trades)},
            "faults": self.faults.describe(),
            "faults_applied": self.faults.applied,
            "http": {name: api.describe()["requests"] for name, api in self.apis.items()},
            "http_statuses": {name: api.describe()["statuses"] for name, api in self.apis.items()},
            "clob_sockets": self.clob_sockets.describe(),
        }

    def _apis(self, rng: Random) -> dict[str, FaultyApi]:
        options = self._options
        visibility = Visibility(self._clock, self.faults, lag_scale=options.lag_scale)
        feed = TradeFeed(self.ledger, visibility)
        accounts = AccountFeed(feed, self.account_events, visibility)
        cache = ResponseCache(self._clock, AGES_S_V1 | AGES_S_V2, scale=options.cache_scale)
        cursors = CursorSigner(options.seed)
        rankings = Rankings(accounts, self._clock)
        pages = ListPages(cursors, self.faults)
        habits = V1Habits(retired=options.v1_retired, offset_refused=options.v1_offset_refused)
        v2 = [
            *DataApiV2(feed, accounts, self.markets, self.faults, cache, cursors, rng=rng).routes(),
            *DataApiAccounts(accounts, rankings, cache, pages, rng=rng).routes(),
        ]
        routes = {
            "gamma": GammaApi(self.markets, clock=self._clock, open_only=options.gamma_default_open_only).routes(),
            "data": [
                *([] if options.v2_absent else v2),
                *DataApiV1(feed, accounts, rankings, self.faults, cache, habits).routes(),
            ],
            "clob": [
                *ClobReads(self.markets, self.exchange, clock=self._clock).routes(),
                *self.trading.routes(),
                *RelayerReads(self.exchange.accounts).routes(),
            ],
        }
        return {name: FaultyApi(Starlette(routes=each), name, self.faults) for name, each in routes.items()}
