"""Users of the engine and what they may do."""

import enum

import attrs


class Scope(enum.StrEnum):
    """What a token lets its bearer do. A scope includes no other one: `admin` alone reads no feed."""

    READ = "read"
    """Feed, prices, follows and everything else that is looked at; also changing one's own follows."""
    TRADE = "trade"
    """Whatever moves money, virtual or real."""
    ADMIN = "admin"
    """Users, jobs, configuration."""


@attrs.frozen(kw_only=True)
class Principal:
    """Who asks."""

    user_id: str
    """The uuid of the row in `profiles`."""
    user_name: str
    token_id: str
    """Names the token, for rate limits and logs; tells nothing about its secret."""
    scopes: frozenset[Scope]
