"""Where the engine keeps its state when the configuration does not say."""

from pathlib import Path

from config.schema import EngineConfig
from engine.adapters.postgres.embedded_server import default_data_dir


def postgres_dir(config: EngineConfig) -> Path:
    """Returns the directory of the embedded server."""
    return Path(config.database.data_dir).expanduser() if config.database.data_dir else default_data_dir()


def spill_dir(config: EngineConfig, database_id: str) -> Path:
    """Returns the directory of the journal; one a database, so that no trade is replayed into another one."""
    configured = config.writer.spill_dir
    base = Path(configured).expanduser() if configured else postgres_dir(config).parent / "spill"
    return base / database_id
