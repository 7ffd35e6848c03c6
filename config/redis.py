"""Settings of the Redis server that carries edges between processes, and which edges may leave a process at all."""

import re
from collections.abc import Mapping
from typing import Protocol

import attrs

from config.field import number, secret, text, whole
from config.secrets import Secret

MEMORY, REDIS = "memory", "redis"
EDGES_OVER_REDIS = ("lanes", "feed_events")
"""Edges that lose nothing for good when Redis does. Lane 0 and intents go through PostgreSQL, in the journal's transaction."""
_ADDRESS = re.compile(r"(rediss?://[^\s/]+(/\d{0,4})?|unix://\S*/\S+)")


@attrs.frozen(kw_only=True)
class RedisConfig:
    """The server between processes. Nothing connects to it, and its client is not loaded, while every transport is `memory`."""

    url: Secret | None = secret(
        doc="redis://USER:PASSWORD@HOST:PORT/DATABASE, rediss:// with TLS, or unix:///path; a server from version 7.0 on"
    )
    ca_file: str = text(
        "", allowed="a path, or empty for the authorities that browsers know", check=lambda value: "\0" not in value,
        doc="certificates that the server's is checked against, with rediss://",
    )  # fmt: skip
    prefix: str = text(
        "polycopy", allowed="1 to 40 lower-case letters, digits, - or _",
        check=lambda value: bool(re.fullmatch(r"[a-z0-9_-]{1,40}", value)),
        doc="begins the name of every key, so that two installations can share a server",
    )  # fmt: skip
    timeout_s: float = number(2, at_least=0.1, at_most=60, doc="longest wait for a connection or an answer")
    patience_ms: float = number(
        1_000,
        at_least=50,
        at_most=60_000,
        doc="trouble that is waited out before items take another way and readyz tells",
    )
    batch_max: int = whole(500, at_least=1, at_most=5_000, doc="items sent or taken at once")
    stream_items_max: int = whole(
        20_000,
        at_least=100,
        at_most=5_000_000,
        doc="items that may lie in one stream; what then happens is the edge's policy",
    )
    dead_items_max: int = whole(1_000, at_least=1, at_most=100_000, doc="dead letters kept of one edge, newest first")
    take_over_idle_ms: float = number(
        15_000, at_least=500, at_most=3_600_000, doc="silence after which what a consumer has in hand is another's"
    )


class EdgeSetting(Protocol):
    """What is asked of the settings of a channel."""

    @property
    def transport(self) -> str: ...


def redis_problems(config: RedisConfig, channels: Mapping[str, EdgeSetting], prices: EdgeSetting) -> list[str]:
    """Returns what is wrong with transports and address, as `path: reason` lines that show no address."""
    leaving = [name for name, channel in channels.items() if channel.transport == REDIS]
    allowed = ", ".join(EDGES_OVER_REDIS)
    problems = [
        f"channels.{name}.transport: this edge stays in the process; redis is for {allowed}"
        for name in leaving
        if name not in EDGES_OVER_REDIS
    ]
    if config.url is not None and not _ADDRESS.fullmatch(config.url.reveal()):
        problems.append("redis.url: must be an address such as redis://HOST:PORT/0, rediss://… or unix:///path")
    if leaving and config.url is None:
        problems.append(f"redis.url: is needed by channels.{leaving[0]}.transport, by url_file or the environment")
    elif prices.transport == REDIS and config.url is None:
        problems.append("redis.url: is needed by prices.transport, by url_file or the environment")
    if config.take_over_idle_ms < 2_000 * config.timeout_s:
        problems.append(
            "redis.take_over_idle_ms: must be at least twice redis.timeout_s, or living consumers lose items"
        )
    return problems
