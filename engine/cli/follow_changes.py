"""Adds and removes follows and says what that changed."""

from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.follow_store import FollowStore

STATES = """
SELECT follows.trader_wallet AS wallet, follows.active, follows.is_target AS target
FROM follows JOIN profiles ON profiles.id = follows.user_id
WHERE profiles.user_name = $1 AND follows.trader_wallet = ANY ($2::text[])
"""


@attrs.frozen(kw_only=True)
class FollowChanges:
    """Wallets by what happened to them; each is in one list."""

    added: Sequence[str] = ()
    made_target: Sequence[str] = ()
    no_target: Sequence[str] = ()
    unchanged: Sequence[str] = ()
    removed: Sequence[str] = ()
    not_followed: Sequence[str] = ()

    def document(self) -> dict[str, Any]:
        """Returns the lists by name."""
        return {name: list(wallets) for name, wallets in attrs.asdict(self).items()}

    def sentences(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Yields what can be said after a number, and whom it is about."""
        yield "now followed", self.added
        yield "followed before, now a target", self.made_target
        yield "still followed, no target any more", self.no_target
        yield "followed before, nothing changed", self.unchanged
        yield "not followed any more", self.removed
        yield "had not been followed", self.not_followed


async def add_follows(
    connection: Connection, user_name: str, wallets: Sequence[str], *, target: bool | None
) -> FollowChanges:
    """Follows wallets. `target` None leaves those who are followed as they are; new ones become no targets.

    Raises `TransientError`.
    """
    before = await _states(connection, user_name, wallets)
    added = [wallet for wallet in wallets if wallet not in before]
    differing = [wallet for wallet in wallets if target is not None and before.get(wallet, target) is not target]
    changed = {*added, *differing}
    if changed:
        await FollowStore(connection, user_name).add([*added, *differing], target=bool(target))
    return FollowChanges(
        added=added,
        made_target=differing if target else (),
        no_target=() if target else differing,
        unchanged=[wallet for wallet in wallets if wallet not in changed],
    )


async def remove_follows(connection: Connection, user_name: str, wallets: Sequence[str]) -> FollowChanges:
    """Stops following wallets. Raises `TransientError`."""
    before = await _states(connection, user_name, wallets)
    removed = [wallet for wallet in wallets if wallet in before]
    if removed:
        await FollowStore(connection, user_name).remove(removed)
    return FollowChanges(removed=removed, not_followed=[wallet for wallet in wallets if wallet not in before])


async def _states(connection: Connection, user_name: str, wallets: Sequence[str]) -> dict[str, bool]:
    """Returns who of the wallets is followed now, and whether as a target."""

    async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
        return await raw.fetch(STATES, user_name, list(wallets))

    return {row["wallet"]: row["target"] for row in await connection.run(work) if row["active"]}
