"""Which parts of the engine this process runs, and how other engines name it."""

import attrs

from config.field import text
from protocols.cluster import EVERY_ROLE, Role

ALL = "all"
WORDS = (ALL, *(role.value for role in Role))


def roles_of(words: str) -> frozenset[Role]:
    """Returns the roles that a comma-separated list names. Raises `ValueError` for a word that is none, and for no word."""
    named = [word.strip().lower() for word in words.split(",") if word.strip()]
    unknown = [word for word in named if word not in WORDS]
    if unknown or not named:
        raise ValueError(f"not a role: {', '.join(unknown) or 'nothing'}; there are {', '.join(WORDS)}")
    return EVERY_ROLE if ALL in named else frozenset(Role(word) for word in named)


def _are_roles(words: str) -> bool:
    try:
        roles_of(words)
    except ValueError:
        return False
    return True


def _is_address(value: str) -> bool:
    return len(value) <= 300 and (not value or value.isprintable())


@attrs.frozen(kw_only=True)
class ClusterConfig:
    """Several engines on one database."""

    roles: str = text(ALL, allowed=f"one or more of {', '.join(WORDS)}, separated by commas", check=_are_roles,
                      doc="what this engine does; --role of `polycopy run` says the same")  # fmt: skip
    address: str = text("", allowed="host:port, or empty for http.host and the port in use", check=_is_address,
                        doc="where other people and machines find this engine's HTTP; only shown")  # fmt: skip


def role_problems(cluster: ClusterConfig) -> list[str]:
    """Returns what does not go together in a set of roles, as `path: reason` lines."""
    roles = roles_of(cluster.roles)
    if {Role.INGEST, Role.EXECUTE} <= roles and Role.DECIDE not in roles:
        return ["cluster.roles: execute goes with ingest and decide, or without ingest; give it a process of its own"]
    return []
