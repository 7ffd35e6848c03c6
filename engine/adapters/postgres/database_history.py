"""Finds out whether the database that is written to is the one of before, and halts live entries where it may lack something.

Every lease is asked for through this, so that nothing runs on a server that nobody has looked at: see `leases.py`. The rule is
`actors/rules/database_history.py`.
"""

import logging
from typing import Any

import asyncpg
import attrs

from actors.rules.database_history import Continuity, DatabaseHistory, continuity, doubt
from protocols.live.settings import FAILOVER

_log = logging.getLogger(__name__)
# A service that does not tell its timeline is not asked for the rest either.
TIMELINE = "SELECT database_timeline()"
NOW = """
SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_id, database_timeline() AS timeline,
    (pg_current_wal_flush_lsn() - '0/0')::bigint AS position_bytes,
    current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') NOT IN ('off', 'local')
        AS is_synchronous
"""
LAST = """
SELECT history_id, system_id, timeline, is_synchronous FROM database_histories ORDER BY history_id DESC LIMIT 1
"""
# One looks, the others find what it found.
LOCK = "LOCK TABLE database_histories IN SHARE ROW EXCLUSIVE MODE"
ADD = """
INSERT INTO database_histories (history_id, system_id, timeline, is_synchronous, continuity, reason)
OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6)
"""
KEEP_WAITING = "UPDATE database_histories SET is_synchronous = $2 WHERE history_id = $1 AND is_synchronous <> $2"
# Over a halt of somebody: whoever ends it has to read this first.
HALT = """
UPDATE lt_control SET halted_by = $1, halted_at = now(), halted_reason = $2::text || CASE WHEN halted_by IS NULL THEN ''
    ELSE '; halted before by ' || halted_by || ': ' || coalesce(halted_reason, '') END
WHERE EXISTS (SELECT 1 FROM lt_strategies) RETURNING 1
"""
NOTE_HALT = "INSERT INTO lt_halts (action, by_whom, reason) VALUES ('halt', $1, $2)"


@attrs.frozen(kw_only=True)
class _Seen:
    history_id: int
    history: DatabaseHistory


@attrs.define(eq=False)
class HistoryWatch:
    """What one process has seen of the database. What it remembers counts beside what the database says: that may be lost."""

    _seen: _Seen | None = attrs.field(init=False, default=None)

    async def look(self, raw: asyncpg.Connection) -> None:
        """Takes a server for the one to write to, and halts live entries if it may lack commits; not in a transaction."""
        if not await raw.fetchval(TIMELINE):
            return
        last = await raw.fetchrow(LAST)
        if last is None or self._found(last, await _now(raw))[1] is not Continuity.SAME:
            async with raw.transaction():
                await raw.execute(LOCK)
                self._seen = await self._judge(raw)
        else:
            await self.goes_on(raw)

    async def goes_on(self, raw: asyncpg.Connection) -> bool:
        """Returns whether the server is the one that was looked at, and is not behind what it was; remembers how far it is."""
        if not await raw.fetchval(TIMELINE):
            return True
        now, last = await _now(raw), await raw.fetchrow(LAST)
        if last is None or self._found(last, now)[1] is not Continuity.SAME:
            return False
        await raw.execute(KEEP_WAITING, last["history_id"], now.is_synchronous)
        self._seen = _Seen(history_id=last["history_id"], history=now)
        return True

    async def _judge(self, raw: asyncpg.Connection) -> _Seen:
        now, last = await _now(raw), await raw.fetchrow(LAST)
        before, found = self._found(last, now)
        if last is not None and found is Continuity.SAME:
            return _Seen(history_id=last["history_id"], history=now)
        ids = [0 if last is None else last["history_id"], 0 if self._seen is None else self._seen.history_id]
        reason = doubt(before, now) if before is not None and found is Continuity.DOUBTFUL else None
        values = (now.system_id, now.timeline, now.is_synchronous, found.value, reason)
        await raw.execute(ADD, max(ids) + 1, *values)
        fields = {"timeline": now.timeline, "continuity": found.value, "reason": reason}
        if reason is None:
            _log.warning("the database goes on with another history", extra=fields)
        elif await raw.fetchval(HALT, FAILOVER, reason) is None:
            _log.error("commits of the database may be missing; nobody trades live", extra=fields)
        else:
            await raw.execute(NOTE_HALT, FAILOVER, reason)
            _log.error("commits of the database may be missing, live entries are halted", extra=fields)
        return _Seen(history_id=max(ids) + 1, history=now)

    def _found(self, last: Any, now: DatabaseHistory) -> tuple[DatabaseHistory | None, Continuity]:
        """What was before, and how it goes on. Memory counts unless somebody has looked since."""
        seen = self._seen
        before = None if last is None else _recorded(last)
        if seen is not None and (last is None or seen.history_id >= last["history_id"]):
            waits = seen.history.is_synchronous and (
                before is None or seen.history_id > last["history_id"] or before.is_synchronous
            )
            before = attrs.evolve(seen.history, is_synchronous=waits)
        return before, continuity(before, now)


def _recorded(row: Any) -> DatabaseHistory:
    return DatabaseHistory(
        system_id=row["system_id"], timeline=row["timeline"], position_bytes=0, is_synchronous=row["is_synchronous"]
    )


async def _now(raw: asyncpg.Connection) -> DatabaseHistory:
    row = await raw.fetchrow(NOW)
    assert row is not None
    return DatabaseHistory(**dict(row))
