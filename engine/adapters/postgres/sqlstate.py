"""What to do about a database error, by its SQLSTATE."""

import enum

import asyncpg


class Reaction(enum.Enum):
    """How a store answers a failed statement."""

    RETRY = "retry"
    """The same statement may succeed later: connection, resources, failover, locks, and whatever an operator can mend."""
    REJECT = "reject"
    """These values will never be accepted."""
    REPREPARE = "reprepare"
    """A pooler swapped the session under our prepared statement: retry without the statement cache."""


# 22 data exception, 23 integrity constraint, 54 program limit exceeded: the values are at fault.
_REJECT_CLASSES = frozenset({"22", "23", "54"})
# 26000 invalid statement name, 42P05 duplicate prepared statement, 08P01 as poolers report them.
_REPREPARE = frozenset({"26000", "42P05"})


def reaction_to(sqlstate: str | None) -> Reaction:
    """Returns the reaction to a SQLSTATE.

    Everything that is not plainly the fault of the values is retried: a missing table, a full disk or a read-only standby
    is mended by an operator, and no row may be lost until then.
    """
    if sqlstate in _REPREPARE:
        return Reaction.REPREPARE
    if sqlstate is not None and sqlstate[:2] in _REJECT_CLASSES:
        return Reaction.REJECT
    return Reaction.RETRY


def reaction_to_error(error: BaseException) -> Reaction | None:
    """Returns the reaction to an error of the driver, or None when it is none of the database's."""
    if isinstance(error, asyncpg.PostgresError):
        return reaction_to(error.sqlstate)
    # The driver refuses a value that it cannot encode before anything is sent.
    if isinstance(error, asyncpg.DataError | OverflowError):
        return Reaction.REJECT
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError | TimeoutError | EOFError):
        return Reaction.RETRY
    return None
