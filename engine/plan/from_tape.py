"""A plan on a recording, which needs no database."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from engine.plan.make import PlanOrder
from engine.plan.sides import Audience, BotPlan
from engine.replay.host import ReplayOrder
from engine.replay.tape_markets import read_resolutions
from engine.replay.trader_stats import read_stats
from engine.simulator.tape import TapeError, read_recording
from protocols.errors import RejectedError
from protocols.score_table import ScoreTable


class TapeAsked(Protocol):
    """Which files, and whom strategies without a list of their own copy."""

    @property
    def tape(self) -> Path | None: ...
    @property
    def resolutions(self) -> Path | None: ...
    @property
    def stats(self) -> Path | None: ...
    @property
    def wallets(self) -> Sequence[str]: ...
    @property
    def seed(self) -> int: ...


def tape_order(
    bots: Sequence[BotPlan], unchanged: Sequence[str], asked: TapeAsked, scores: ScoreTable | None
) -> PlanOrder:
    """Returns what to compare on a recording. Raises `RejectedError` and `OSError`."""
    assert asked.tape is not None
    try:
        recording = read_recording(asked.tape)
    except TapeError as error:
        raise RejectedError(str(error)) from None
    rows = recording.rows
    found = read_resolutions(asked.resolutions) if asked.resolutions else []
    paid = {one.condition_id for one in found if one.payouts} | {one.slug for one in found if one.payouts and one.slug}
    markets = {row.condition_id: row.text("slug") for row in rows}
    return PlanOrder(
        bots=bots,
        unchanged=unchanged,
        audience=Audience(
            others=tuple(dict.fromkeys(one.lower() for one in asked.wallets)) or None, everyone_else=True
        ),
        played=ReplayOrder(
            rows=rows,
            bots=(),
            resolutions=found,
            records=read_stats(asked.stats) if asked.stats else {},
            scores=scores,
            seed=asked.seed,
        ),
        asked_ms=rows[0].timestamp_s * 1000,
        markets_open=sum(id_ not in paid and slug not in paid for id_, slug in markets.items()),
        unusable=recording.skipped_lines,
    )
