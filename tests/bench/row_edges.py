"""One edge over three transports, side by side: items a second in batches, and from sender to reader one at a time."""

import random
import time
from collections import defaultdict
from contextlib import AsyncExitStack

import trio
from tests.engine_redis.redis_fixtures import redis_server

from engine.adapters.postgres.database import DatabaseOptions, database_loop, open_connection
from engine.adapters.postgres.edge_store import PostgresEdgeStore
from engine.adapters.postgres.migrate import migrate
from engine.adapters.redis.connection import open_redis
from engine.adapters.redis.edge_store import RedisEdge, RedisEdgeStore
from engine.runtime.channel import Channel
from engine.runtime.edge_inbox import EdgeInbox
from engine.runtime.edge_sender import EdgeSender
from protocols.edge_codec import LanedTradeCodec

from .bench import Bench
from .figures import Figure, median

KINDS = ("memory", "redis", "postgres")
BATCH = 500
ROOM = 20_000
