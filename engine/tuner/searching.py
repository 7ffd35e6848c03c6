"""A whole search, as the side process makes it: strategies and stored trades in, a finding for each strategy out."""

import zlib
from collections.abc import Callable, Collection, Iterable
from importlib.metadata import version

import attrs

from actors.rules.tuner.parts import DAY_MS, parts_of
from config.schema import EngineConfig
from engine.tuner.look import Look, LookRules, look_at
from engine.tuner.passes import run_looks
from engine.tuner.replayed import LoadedTape, ReplayTrials, as_played
from protocols.paper import Scorer
from protocols.strategies import StrategySettings, StrategyTable, TargetMode
from protocols.tuner_search import Finding, SearchOrder, Subject, Window

SCREEN_POINTS = 5
NOBODY = "It copies nobody, so there is nothing to search."
LoadTape = Callable[[Window, Collection[str] | None], LoadedTape]
"""Trades of a window, of some traders or of all; of nothing that ended later is it known."""


def search(
    config: EngineConfig,
    order: SearchOrder,
    table: StrategyTable,
    load: LoadTape,
    *,
    scorer: Scorer | None = None,
    said: Callable[[int, int], None] = lambda *_: None,
) -> list[Finding]:
    """Returns a finding for each subject that is still there. Raises `EngineError`."""
    known = {one.wallet_id: one for one in table.strategies}
    parts = parts_of(order.now_ms, days=config.tuner.days, validation_days=config.tuner.validation_days)
    findings, looks, played = list[Finding](), list[Look](), list[StrategySettings]()
    for subject in order.subjects:
        strategy = known.get(subject.wallet_id)
        if strategy is None:
            continue
        settings, now = as_played(strategy, table), attrs.evolve(subject, version=strategy.version)
        if settings.target_mode is TargetMode.LIST and not settings.target_traders:
            # A replay would take an empty list for everybody.
            findings.append(_nothing(now, NOBODY))
            continue
        played.append(settings)
        looks.append(look_at(now, settings, parts, _rules(config, subject, order.now_ms, len(order.subjects))))
    wallets = _wallets(played)
    trials = ReplayTrials(
        config=config, load=lambda window: load(window, wallets), seed=order.now_ms // DAY_MS, scorer=scorer
    )
    return findings + run_looks(looks, trials, said)


def _rules(config: EngineConfig, subject: Subject, now_ms: int, strategies: int) -> LookRules:
    tuner = config.tuner
    return LookRules(
        tries_max=tuner.tries_max,
        screen_points=SCREEN_POINTS,
        # What a pass plays is divided among those who are searched side by side.
        batch=max(1, tuner.batch // max(1, strategies)),
        orders_min=tuner.orders_min,
        level=tuner.level,
        seed=zlib.crc32(f"{subject.wallet_id} {now_ms // DAY_MS}".encode()),
        code_version=version("polycopy"),
    )


def _wallets(played: Iterable[StrategySettings]) -> frozenset[str] | None:
    """Returns whose trades the strategies can copy; None: everybody's."""
    every = list(played)
    if any(one.target_mode is not TargetMode.LIST for one in every):
        return None
    return frozenset(wallet for one in every for wallet in one.target_traders)


def _nothing(subject: Subject, text: str) -> Finding:
    return Finding(wallet_id=subject.wallet_id, version=subject.version, text=text, before={}, after={}, evidence=None)
