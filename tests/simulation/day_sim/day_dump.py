"""Everything in the database but job history, without its moments: what running a job once more must leave as it is."""

from collections import Counter
from collections.abc import Mapping

import asyncpg

from engine.adapters.postgres.database import DatabaseOptions, once

OWN = ("job_runs", "job_requests", "job_schedulers", "engine_leases")
OTHERS = ("ingest_gaps",)
"""Kept by the reader of a stream that is silent, since nobody trades any more."""
TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname
"""
TIMES = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND data_type LIKE 'timestamp%'
"""
VENUES_MOMENT = "#- '{raw_gamma,updatedAt}'"
COUNTERS = {"wallet_poll_state": ["snapshots"]}
"""How often something was looked at is no more than its time."""
Dump = Mapping[str, Counter[str]]


async def dump_of(options: DatabaseOptions) -> Dump:
    """Every row of every table, counted."""

    async def read(raw: asyncpg.Connection) -> Dump:
        left_out = {table: list(columns) for table, columns in COUNTERS.items()}
        for row in await raw.fetch(TIMES):
            left_out.setdefault(row["table_name"], []).append(row["column_name"])
        dump = {}
        for (table,) in await raw.fetch(TABLES):
            if table not in OWN + OTHERS:
                statement = f'SELECT (to_jsonb(t) - $1::text[] {VENUES_MOMENT})::text FROM "{table}" AS t'
                dump[table] = Counter(text for (text,) in await raw.fetch(statement, left_out.get(table, [])))
        return dump

    return await once(options, "dump", read)


def difference(before: Dump, after: Dump) -> list[str]:
    """Rows that only one of them has, a few of each table."""
    found = []
    for table, rows in before.items():
        for sign, mine, other in (("-", rows, after[table]), ("+", after[table], rows)):
            found += [f"{sign} {table} {text[:300]}" for text in sorted(mine - other)[:3]]
    return found
