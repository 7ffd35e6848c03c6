"""The names that pages may use: settings, environment variables, metrics."""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry

from config.describe import free_settings, settings
from config.loader import load_config
from engine.adapters import postgres
from engine.adapters.system_clock import system_random
from engine.metrics import EngineCollector, price_age_histogram, trade_to_order_histogram, trade_to_row_histogram
from engine.running import Engine
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from engine.runtime.traffic import Traffic

SETTINGS = {info.path for info in settings()} | {f"{info.path}_file" for info in settings() if info.is_secret}
FREE = {path for path, _ in free_settings()} | {f"{path}_file" for path, info in free_settings() if info.is_secret}
SECTIONS = {path.partition(".")[0] for path in SETTINGS}
# Read by the program without being a setting.
OTHER_VARIABLES = {"POLYCOPY_CONFIG", "POLYCOPY_LIVE", "POLYCOPY_TEST_BROWSER"}
_PLACEHOLDER = "POLYCOPY_SECTION__KEY"


def is_setting(name: str) -> bool:
    """Returns whether a name is a setting, a group of settings, or a pattern that some setting matches."""
    pattern = re.sub(r"<\w+>|\bNAME\b", "*", name)
    return any(
        fnmatchcase(known, pattern) or fnmatchcase(known, f"{pattern}.*") or _is_named_like(name, known)
        for known in SETTINGS | FREE
    )


def _is_named_like(name: str, known: str) -> bool:
    """`live.accounts.main` and `live.accounts.main.key_file` are like `live.accounts.NAME.key_file`."""
    if "NAME" not in known:
        return False
    shape = re.escape(known).replace("NAME", r"[\w-]+")
    return bool(re.fullmatch(shape, name) or re.fullmatch(shape.rpartition(r"\.")[0], name))


def is_column(name: str) -> bool:
    """Returns whether `table.column` may be one of the database: both words stand in its migrations."""
    table, _, column = name.partition(".")
    text = _migrations()
    return bool(re.search(rf"TABLE (IF NOT EXISTS )?{table}\b", text) and re.search(rf"\b{column}\b", text))


@cache
def _migrations() -> str:
    folder = Path(postgres.__file__).with_name("migrations")
    return "\n".join(path.read_text() for path in sorted(folder.glob("*.sql")))


def is_variable(name: str) -> bool:
    """Returns whether an environment variable is read."""
    return name in {*OTHER_VARIABLES, _PLACEHOLDER} or is_setting(
        name.removeprefix("POLYCOPY_").lower().replace("__", ".")
    )


def metric_names() -> Collection[str]:
    """Returns the names of all samples that an engine can give."""
    config = load_config(environ={})
    gauges = RuntimeGauges(loop_lag=LoopLag(), memory_mb=0, channels_of=lambda: ())
    engine = Engine(
        config=config,
        supervisor=Supervisor(rng=system_random()),
        gauges=gauges,
        readiness=Readiness(),
        traffic=Traffic(),
    )
    registry = CollectorRegistry()
    registry.register(EngineCollector(engine))
    trade_to_row_histogram(registry)
    trade_to_order_histogram(registry)
    price_age_histogram(registry)
    names = set()
    for family in registry.collect():
        endings = {"counter": ["_total"], "histogram": ["", "_bucket", "_sum", "_count"]}.get(family.type, [""])
        names |= {family.name + ending for ending in endings}
    return names
