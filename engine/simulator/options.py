"""How a simulator is started, and where it can then be reached."""

from pathlib import Path

import attrs
from attrs.validators import ge, le

_ANY_PORT = 0


@attrs.frozen(kw_only=True)
class SimulatorOptions:
    """Everything an operator or a test may choose."""

    host: str = "127.0.0.1"
    port: int = attrs.field(default=_ANY_PORT, validator=ge(0))
    """First of six consecutive ports (RTDS, CLOB sockets, CLOB, Gamma, Data API, control); 0: any free ones."""
    seed: int = 1
    """Of the rows. Equal seeds and tapes give equal rows."""
    tape: Path | None = None
    """Recorded rows to play; None: the synthetic platform."""
    speed: float | None = 1.0
    """Times real speed; None: as fast as the clients take it."""
    keep_time: bool = False
    """Show the times of the tape instead of shifting them to now."""
    rate_scale: float = 1.0
    """Rows per second of the synthetic platform, times about 28."""
    life_scale: float = 1.0
    """Length of the life of synthetic markets."""
    wallets: int = attrs.field(default=20_000, validator=ge(10))
    """Population of the synthetic platform."""
    markets: int = attrs.field(default=400, validator=ge(4))
    """Open markets of the synthetic platform."""
    redeemed_share: float = attrs.field(default=0.6, validator=[ge(0), le(1)])
    """Of the winners of a synthetic market who redeem within minutes of the verdict; few losers do."""
    lag_scale: float = attrs.field(default=1.0, validator=ge(0))
    """Times the real lag between match, stream and Data API; 0: none."""
    cache_scale: float = attrs.field(default=1.0, validator=ge(0))
    """Times the real age of cached Data API answers; 0: no cache."""
    start_paused: bool = False
    """Wait for `POST /play` before the first row."""
    gamma_default_open_only: bool = False
    """Whether Gamma leaves out closed markets when `closed` is not asked for."""
    v1_retired: bool = False
    """Whether the Data API v1 answers 404."""
    v2_absent: bool = False
    """Whether the Data API v2 answers 404, as where only v1 is spoken."""
    v1_offset_refused: bool = False
    """Whether an offset beyond the cap answers 400 instead of the last page again."""
    fills_max: int = attrs.field(default=200_000, validator=ge(100))
    """Fills remembered."""
    send_buffer_bytes_max: int = attrs.field(default=4 << 20, validator=ge(1024))
    """Of one RTDS client; more waiting closes it with 1013."""
    ping_timeout_s: float = 360.0
    """Without a client's PING for this long its activity stops."""


@attrs.frozen(kw_only=True)
class SimulatorUrls:
    """Where the six surfaces listen."""

    rtds_url: str
    clob_url: str
    clob_ws_url: str
    gamma_url: str
    data_url: str
    control_url: str
