"""What `polycopy top` knows: two readings of the engine, the rates between them, and the trades committed last."""

from typing import Any

import attrs
import trio

from config.schema import EngineConfig
from engine.adapters.database_source import options_for
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.embedded_server import EmbeddedServerError, running_server_dsn
from engine.cli.database_facts import last_trades
from engine.cli.engine_client import EngineClient, EngineUnreachableError, EngineView
from engine.places import postgres_dir
from protocols.errors import EngineError


@attrs.define(eq=False, kw_only=True)
class TopState:
    """Filled by the two readers below, drawn by `top_frame`."""

    url: str
    view: EngineView | None = None
    engine_error: str | None = None
    trades: list[dict[str, Any]] = attrs.field(factory=list)
    trades_error: str | None = None
    _before: EngineView | None = attrs.field(init=False, default=None)
    _read_s: float = attrs.field(init=False, default=0.0)
    _interval_s: float = attrs.field(init=False, default=0.0)

    def saw(self, view: EngineView) -> None:
        """Takes a new reading; rates are between it and the one before."""
        now_s = trio.current_time()
        self._before, self._interval_s = self.view, now_s - self._read_s
        self.view, self._read_s, self.engine_error = view, now_s, None

    def lost(self, error: str) -> None:
        """Says that the engine does not answer; old figures would deceive."""
        self.view, self._before, self.engine_error = None, None, error

    def rates(self, name: str, label: str) -> dict[str, float] | None:
        """Returns by how much counters rise in a second, by a label; None while there is one reading only."""
        if self.view is None or self._before is None or self._interval_s <= 0:
            return None
        old = self._before.metrics.by(name, label)
        new = self.view.metrics.by(name, label)
        # A counter that fell belongs to an engine that was started again.
        return {key: max(0.0, count - old.get(key, 0.0)) / self._interval_s for key, count in new.items()}


async def read_engine(client: EngineClient, state: TopState) -> None:
    """Reads the engine once into `state`."""
    try:
        state.saw(await client.read())
    except EngineUnreachableError as error:
        state.lost(str(error))


@attrs.define(eq=False)
class TradesReader:
    """Reads the last trades over one connection; never starts a server."""

    config: EngineConfig
    _connection: Connection | None = attrs.field(init=False, default=None)

    async def read(self, state: TopState, rows: int) -> None:
        """Reads the last trades once into `state`."""
        try:
            connection = await self._open()
            if connection is None:
                state.trades, state.trades_error = [], "the embedded database does not run"
                return
            state.trades = await connection.run(lambda raw: last_trades(raw, rows))
            state.trades_error = None
        except (EngineError, EmbeddedServerError, OSError, ValueError) as error:
            detail = "its address cannot be read" if isinstance(error, ValueError) else str(error)
            state.trades, state.trades_error = [], f"the database does not answer: {detail}"
            await self.aclose()

    async def aclose(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with trio.CancelScope(shield=True):
                await connection.aclose()

    async def _open(self) -> Connection | None:
        if self._connection is None:
            database = self.config.database
            url = database.url.reveal() if database.url else await running_server_dsn(postgres_dir(self.config))
            if url is not None:
                self._connection = Connection(options_for(database, url), "top")
        return self._connection
