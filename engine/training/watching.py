"""Looks how a model does on trades that were made after those it was trained and measured on. Needs no training library."""

from random import Random

from actors.rules.score.drift import drift_of
from actors.rules.score.features import UnfitError
from actors.rules.score.model import read_model
from engine.training.past_trades import DAY_MS, PastRow, PastTrades, ended_days
from protocols.score_models import DriftFigures, ModelRow


async def watched(
    past: PastTrades, row: ModelRow, document: str, *, now_ms: int, days: int, rows_max: int
) -> DriftFigures | None:
    """Returns how a model did; None when too few trades have ended since. Raises `TransientError` and `RejectedError`."""
    model = read_model(document)
    first_ms = max(row.figures.valid.until_ms + 1, now_ms - days * DAY_MS)
    since_ms = max(first_ms, await past.since_ms(days=days, until_ms=now_ms, rows_max=rows_max))
    rows, probabilities = list[PastRow](), list[float]()
    async for page in past.pages(since_ms, now_ms):
        for one in page:
            try:
                probabilities.append(model.probability(one.features))
            except UnfitError as error:
                past.left_out[str(error)] += 1
            else:
                rows.append(one)
    return drift_of(
        features=[one.features for one in rows],
        probabilities=probabilities,
        won=[float(one.won) for one in rows],
        events=[one.event for one in rows],
        days=ended_days(rows),
        times_ms=[one.trade_ms for one in rows],
        spreads=row.figures.spreads,
        rng=Random(row.seed),  # noqa: S311 - no secret
    )
