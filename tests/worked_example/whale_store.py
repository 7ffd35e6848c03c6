"""The adapter: in the program it would lie in `engine/adapters/postgres/`, its table in a migration."""

from collections.abc import Sequence

import attrs
from worked_example.whale import Whale

from engine.adapters.postgres.database import RunsWork, row_count

TABLE = "CREATE TABLE whales (trade_id text PRIMARY KEY, wallet text NOT NULL, usd numeric NOT NULL)"
RECORD = """
INSERT INTO whales (trade_id, wallet, usd)
SELECT * FROM unnest($1::text[], $2::text[], $3::numeric[]) ON CONFLICT (trade_id) DO NOTHING
"""


@attrs.define(eq=False)
class PostgresWhaleStore:
    """Raises `TransientError`."""

    database: RunsWork

    async def record(self, whales: Sequence[Whale]) -> int:
        """Keeps each whale once; one statement is one commit."""
        columns = list(zip(*((one.trade_id, one.wallet, one.usd) for one in whales), strict=True))
        return row_count(await self.database.run(lambda raw: raw.execute(RECORD, *columns)))
