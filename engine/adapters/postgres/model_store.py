"""Trained models in PostgreSQL: kept, switched, looked after."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import asyncpg
import attrs
import msgspec

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.job_fence import fenced
from protocols.errors import MalformedError, RejectedError
from protocols.jobs import JobLease
from protocols.score_models import (
    FIGURES_BYTES_MAX,
    DriftFigures,
    DriftRow,
    ModelDocument,
    ModelFigures,
    ModelRow,
    NewModel,
    Switch,
)
from protocols.timestamps import utc_datetime

# One writer of switches at a time, so that `only_from` means what it says; released with the transaction.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('score_model_switches'))"
ACTIVE = "SELECT model_id FROM score_model_switches ORDER BY switch_id DESC LIMIT 1"
DOCUMENT = "SELECT document FROM score_models WHERE model_id = $1"
INSERT = """
INSERT INTO score_models (kind, feature_version, feature_names, document, figures, data_from, data_until, seed, code_version,
    libraries, seconds)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING model_id
"""
_COLUMNS = """model_id, created_at, kind, feature_version, figures, seed, code_version, libraries, seconds,
    model_id IS NOT DISTINCT FROM (SELECT model_id FROM score_model_switches ORDER BY switch_id DESC LIMIT 1) AS is_active"""
MODELS = f"""
SELECT {_COLUMNS} FROM score_models WHERE $1::bigint IS NULL OR model_id < $1 ORDER BY model_id DESC LIMIT $2
"""  # noqa: S608
MODEL = f"SELECT {_COLUMNS} FROM score_models WHERE model_id = $1"  # noqa: S608
SWITCH = """
INSERT INTO score_model_switches (model_id, by, reason) VALUES ($1, $2, $3)
RETURNING switch_id, model_id, switched_at, by, reason
"""
SWITCHES = """
SELECT switch_id, model_id, switched_at, by, reason FROM score_model_switches
WHERE $1::bigint IS NULL OR switch_id < $1 ORDER BY switch_id DESC LIMIT $2
"""
DRIFT = "SELECT model_id, checked_at, figures FROM score_model_drift WHERE model_id = ANY ($1::bigint[])"
KEEP_DRIFT = """
INSERT INTO score_model_drift (model_id, figures) VALUES ($1, $2)
ON CONFLICT (model_id) DO UPDATE SET figures = excluded.figures, checked_at = clock_timestamp()
"""
REASON_CHARS_MAX = 2_000
F = TypeVar("F", bound=msgspec.Struct)


@attrs.define(eq=False)
class PostgresModelStore:
    """`ModelStore` and `ActiveModels`."""

    connection: RunsWork

    async def add(self, model: NewModel) -> int:
        """Keeps a model and returns its id. Raises `TransientError`, and `RejectedError` for figures that are too long."""
        values = _values(model)
        return int(await self.connection.run(lambda raw: raw.fetchval(INSERT, *values)))

    async def add_under(self, lease: JobLease, model: NewModel) -> int:
        """The same for a job. Raises `FencedError`, too."""
        values = _values(model)

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                return int(await raw.fetchval(INSERT, *values))

        return await self.connection.run(work)

    async def models(self, *, before: int | None, rows_max: int) -> list[ModelRow]:
        """Returns models, newest first. Raises `TransientError`."""
        return [_model(row) for row in await self.connection.run(lambda raw: raw.fetch(MODELS, before, rows_max))]

    async def model(self, model_id: int) -> ModelRow | None:
        """Returns a model. Raises `TransientError`."""
        row = await self.connection.run(lambda raw: raw.fetchrow(MODEL, model_id))
        return None if row is None else _model(row)

    async def document(self, model_id: int) -> str | None:
        """Returns the document of a model. Raises `TransientError`."""
        found: str | None = await self.connection.run(lambda raw: raw.fetchval(DOCUMENT, model_id))
        return found

    async def switch(
        self, model_id: int | None, *, by: str, reason: str, only_from: int | None = None
    ) -> Switch | None:
        """Activates a model, or none. Raises `TransientError`, and `RejectedError` when there is no such model.

        With `only_from` it does so only while that model is active, and returns None else.
        """

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            async with raw.transaction():
                return await _switch(raw, model_id, by, reason, only_from)

        row = await self.connection.run(work)
        return None if row is None else _switch_of(row)

    async def switches(self, *, before: int | None, rows_max: int) -> list[Switch]:
        """Returns what was switched, newest first. Raises `TransientError`."""
        rows = await self.connection.run(lambda raw: raw.fetch(SWITCHES, before, rows_max))
        return [_switch_of(row) for row in rows]

    async def active(self, known: int | None) -> tuple[int | None, str | None]:
        """Returns the active model's id, and its document unless it is the one that is known. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> tuple[int | None, str | None]:
            model_id: int | None = await raw.fetchval(ACTIVE)
            if model_id is None or model_id == known:
                return model_id, None
            return model_id, await raw.fetchval(DOCUMENT, model_id)

        return await self.connection.run(work)

    async def drift(self, model_ids: Sequence[int]) -> dict[int, DriftRow]:
        """Returns the last look at each model that was looked at. Raises `TransientError`."""
        rows = await self.connection.run(lambda raw: raw.fetch(DRIFT, list(model_ids)))
        return {
            row["model_id"]: DriftRow(
                model_id=row["model_id"],
                checked_ms=_ms(row["checked_at"]),
                figures=_decoded(row["figures"], DriftFigures),
            )
            for row in rows
        }

    async def keep_drift(self, model_id: int, figures: DriftFigures) -> None:
        """Replaces the last look at a model, for a command. Raises `TransientError`."""
        text = msgspec.json.encode(figures).decode()
        await self.connection.run(lambda raw: raw.execute(KEEP_DRIFT, model_id, text))

    async def keep_drift_under(
        self, lease: JobLease, model_id: int, figures: DriftFigures, *, deactivate_as: str | None
    ) -> bool:
        """The same for a job, and deactivates the model if it is still active and `deactivate_as` names who does that.

        Returns whether it was deactivated. Raises `TransientError` and `FencedError`.
        """
        text = msgspec.json.encode(figures).decode()

        async def work(raw: asyncpg.Connection) -> bool:
            async with fenced(raw, lease):
                await raw.execute(KEEP_DRIFT, model_id, text)
                if deactivate_as is None:
                    return False
                reason = "drifted: " + "; ".join(figures.reasons)
                return await _switch(raw, None, deactivate_as, reason, model_id) is not None

        return await self.connection.run(work)


def _values(model: NewModel) -> tuple[object, ...]:
    names = msgspec.json.decode(model.document, type=ModelDocument).features
    figures, spans = msgspec.json.encode(model.figures), (model.figures.train, model.figures.valid)
    if len(figures) > FIGURES_BYTES_MAX:
        raise RejectedError(f"the figures of a model are longer than {FIGURES_BYTES_MAX} bytes")
    return (
        model.kind,
        model.feature_version,
        names,
        model.document,
        figures.decode(),
        utc_datetime(min(span.from_ms for span in spans)),
        utc_datetime(max(span.until_ms for span in spans)),
        model.seed,
        model.code_version,
        json.dumps(dict(model.libraries)),
        model.seconds,
    )


async def _switch(
    raw: asyncpg.Connection, model_id: int | None, by: str, reason: str, only_from: int | None
) -> asyncpg.Record | None:
    await raw.execute(LOCK)
    if only_from is not None and await raw.fetchval(ACTIVE) != only_from:
        return None
    if model_id is not None and await raw.fetchval(DOCUMENT, model_id) is None:
        raise RejectedError(f"there is no model {model_id}")
    return await raw.fetchrow(SWITCH, model_id, by, reason[:REASON_CHARS_MAX])


def _model(row: asyncpg.Record) -> ModelRow:
    return ModelRow(
        model_id=row["model_id"],
        created_ms=_ms(row["created_at"]),
        kind=row["kind"],
        feature_version=row["feature_version"],
        seed=row["seed"],
        code_version=row["code_version"],
        libraries=json.loads(row["libraries"]),
        seconds=row["seconds"],
        figures=_decoded(row["figures"], ModelFigures),
        is_active=row["is_active"],
    )


def _decoded(text: str, kind: type[F]) -> F:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise MalformedError("figures", str(error)[:200]) from None


def _switch_of(row: asyncpg.Record) -> Switch:
    return Switch(
        switch_id=row["switch_id"],
        model_id=row["model_id"],
        switched_ms=_ms(row["switched_at"]),
        by=row["by"],
        reason=row["reason"],
    )


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
