"""Watches the database of a day from within: who touched a lease, who wrote without one, what was ever opened.

Triggers write it down. What a transaction did that was rolled back is forgotten with it, as it should be.
"""

from typing import Any

import asyncpg

from engine.adapters.postgres.database import DatabaseOptions, once

UNDER_LEASES = {
    "polycopy writer": "ingest",
    "polycopy hot poller": "ingest",
    "polycopy settlement": "ingest",
    "polycopy cold poll": "job:cold-poll",
    "polycopy coverage": "job:coverage-audit",
    "polycopy wallet results": "job:%",
    "polycopy job work": "job:%",
}
"""What writes under which lease, by the name of its connection."""

INSTALL = """
CREATE TABLE day.lease_changes (
    id bigserial PRIMARY KEY, at timestamptz, by text, name text, old_owner text, old_epoch bigint,
    old_expires timestamptz, new_owner text, new_epoch bigint, new_expires timestamptz
);
CREATE TABLE day.unproved (at timestamptz, by text, use text, changed text, lease_owner text);
CREATE TABLE day.opened (wallet text, token text, opened_at timestamptz, PRIMARY KEY (wallet, token, opened_at));
CREATE FUNCTION day.note_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO day.lease_changes (at, by, name, old_owner, old_epoch, old_expires, new_owner, new_epoch, new_expires)
    VALUES (now(), coalesce(current_setting('day.engine', true), ''), NEW.name, OLD.owner, OLD.epoch, OLD.expires_at,
        NEW.owner, NEW.epoch, NEW.expires_at);
    RETURN NULL;
END $$;
CREATE TRIGGER note_lease AFTER INSERT OR UPDATE ON engine_leases FOR EACH ROW EXECUTE FUNCTION day.note_lease();
CREATE TABLE day.booked (id bigint PRIMARY KEY, at timestamptz);
CREATE FUNCTION day.note_booked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO day.booked VALUES (NEW.id, now());
    RETURN NULL;
END $$;
CREATE TRIGGER note_booked AFTER INSERT ON positions_closed FOR EACH ROW EXECUTE FUNCTION day.note_booked();
CREATE FUNCTION day.note_opened() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO day.opened VALUES (NEW.wallet_address, NEW.token_id, NEW.opened_at);
    RETURN NULL;
END $$;
CREATE TRIGGER note_opened AFTER INSERT ON positions_current FOR EACH ROW EXECUTE FUNCTION day.note_opened();
CREATE TABLE day.under (use text PRIMARY KEY, lease text);
CREATE FUNCTION day.prove() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted text := (SELECT lease FROM day.under WHERE use = current_setting('application_name'));
    engine text := coalesce(current_setting('day.engine', true), '');
BEGIN
    IF wanted IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM engine_leases
        WHERE name LIKE wanted AND (owner = engine OR starts_with(owner, engine || '/'))
    ) THEN
        INSERT INTO day.unproved VALUES (now(), engine, current_setting('application_name'), TG_TABLE_NAME,
            (SELECT string_agg(owner, ' ') FROM engine_leases WHERE name LIKE wanted));
    END IF;
    RETURN NULL;
END $$;
"""
TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
AND relname NOT LIKE 'job\\_%' AND relname NOT IN ('engine_leases', 'markets', 'market_tokens') ORDER BY relname
"""
WATCH = """
CREATE TRIGGER prove AFTER INSERT OR UPDATE OR DELETE ON "{}" FOR EACH ROW EXECUTE FUNCTION day.prove()
"""
# A lease that is alive is changed by its owner or an operator, one that is not by whoever takes it, or by its last owner.
FOREIGN = """
SELECT * FROM day.lease_changes WHERE old_owner IS NOT NULL AND NOT (
    by = 'operator' OR old_owner = by OR starts_with(old_owner, by || '/')
    OR (old_expires <= at AND (new_owner = by OR starts_with(new_owner, by || '/')))
) ORDER BY id
"""
# Of one job: who began before another one had ended.
OVERLAPS = """
SELECT job, run_id, other_id, began, ended FROM (
    SELECT job, run_id, started_at AS began, lag(run_id) OVER runs AS other_id,
        max(coalesce(ended_at, 'infinity')) OVER (PARTITION BY job ORDER BY started_at, run_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ended
    FROM job_runs WHERE status <> 'skipped' WINDOW runs AS (PARTITION BY job ORDER BY started_at, run_id)
) AS runs WHERE began < ended ORDER BY run_id
"""
UNPROVED = "SELECT * FROM day.unproved ORDER BY at"


async def install_watch(options: DatabaseOptions) -> None:
    """From now on all is written down."""

    async def work(raw: asyncpg.Connection) -> None:
        await raw.execute(INSTALL)
        await raw.executemany("INSERT INTO day.under VALUES ($1, $2)", list(UNDER_LEASES.items()))
        for (table,) in await raw.fetch(TABLES):
            await raw.execute(WATCH.format(table))

    await once(options, "watch", work)


async def seen_wrong(options: DatabaseOptions) -> list[str]:
    """What must never happen, and did."""

    async def work(raw: asyncpg.Connection) -> dict[str, list[Any]]:
        asked = {"lease changed by another": FOREIGN, "runs overlap": OVERLAPS, "written without a lease": UNPROVED}
        return {what: await raw.fetch(sql) for what, sql in asked.items()}

    found = await once(options, "watch", work)
    return [f"{what}: {dict(row)}" for what, rows in found.items() for row in rows[:5]]
