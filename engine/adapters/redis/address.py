"""Where the Redis server is, read from its address."""

from urllib.parse import unquote, urlsplit

import attrs

from config.redis import RedisConfig
from config.secrets import Secret


@attrs.frozen(kw_only=True)
class RedisAddress:
    """A server and how to come in. Never shows the password."""

    host: str = ""
    port: int = 6379
    socket_path: str = ""
    """Instead of host and port."""
    database: int = 0
    username: str | None = None
    password: Secret | None = None
    is_tls: bool = False
    ca_file: str = ""
    timeout_s: float = 2.0


def address_of(config: RedisConfig) -> RedisAddress:
    """Returns the address that is configured. Raises `ValueError`, without a part of the address, when there is none."""
    if config.url is None:
        raise ValueError("redis.url: is needed")
    parts = urlsplit(config.url.reveal())
    try:
        port = parts.port or 6379
        path = unquote(parts.path)
        database = 0 if parts.scheme == "unix" else int(path.strip("/") or 0)
    except ValueError:
        raise ValueError("redis.url: port and database must be numbers") from None
    if not (path if parts.scheme == "unix" else parts.hostname):
        raise ValueError("redis.url: names no server")
    return RedisAddress(
        host=parts.hostname or "",
        port=port,
        socket_path=path if parts.scheme == "unix" else "",
        database=database,
        username=unquote(parts.username) if parts.username else None,
        password=Secret(unquote(parts.password)) if parts.password else None,
        is_tls=parts.scheme == "rediss",
        ca_file=config.ca_file,
        timeout_s=config.timeout_s,
    )
