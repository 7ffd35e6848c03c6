"""A process that receives frames nobody follows and says what one costs: bare, or as the engine does it.

`python -m tests.bench.receive_cost URL WALLETS FRAMES`; WALLETS is `bare` or the size of the wallet sets. Prints
`warm` when it is connected and, after FRAMES frames, one JSON line with the processor time a frame.
"""

import gc
import json
import sys
import time
from collections.abc import Callable

import attrs
import trio
import trio_websocket

from actors.stream_reader import StreamReader
from actors.trade_filter import TradeFilter
from config.schema import FilterConfig, StreamConfig, default_channels
from engine.adapters.rtds_socket import QUEUE_MESSAGES, RECEIVE_BUFFER_BYTES, RtdsDialer
from engine.adapters.system_clock import SystemClock, system_random
from engine.runtime.channel import Channel, LanePolicy
from engine.runtime.loop_lag import LoopLag
from protocols.channels import Overflow
from protocols.ingest import GapRequest, TargetSets
from protocols.trades import Lane, LanedTrade, RawTrade
from protocols.venue.rtds import subscribe_frame

from .frames import TARGET, wallets

WARM_UP_FRAMES = 5_000


@attrs.define(eq=False)
class Sets:
    """`TargetView` of sets that never change."""

    _sets: TargetSets

    def current(self) -> TargetSets:
        return self._sets


async def bare(url: str) -> None:
    """Receives and forgets: the cost of the library."""
    count = 0

    async def receive() -> None:
        nonlocal count
        async with trio_websocket.open_websocket_url(
            url, message_queue_size=QUEUE_MESSAGES, receive_buffer_size=RECEIVE_BUFFER_BYTES
        ) as socket:
            await socket.send_message(subscribe_frame(["trades", "orders_matched"]))
            while True:
                await socket.get_message()
                count += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await until_measured(lambda: count)
        nursery.cancel_scope.cancel()


async def as_engine(url: str, lanes: dict[str, Lane]) -> None:
    """Receives with the engine's reader, channel and filter, and its instrument of the loop's lag."""
    trio.lowlevel.add_instrument(LoopLag())
    size = {name: channel.capacity for name, channel in default_channels().items()}
    raw_trades = Channel[RawTrade]("raw_trades", size["raw_trades"])
    policy = LanePolicy[LanedTrade](lanes=3, lane_of=lambda laned: laned.lane, shed_from=2, shed_above=50)
    writer = Channel[LanedTrade]("writer", size["writer"], Overflow.LANES, policy)
    copied = Channel[LanedTrade]("copy_trades", size["copy_trades"])
    gaps = Channel[GapRequest]("gap_requests", size["gap_requests"])
    markets = Channel[str]("market_requests", size["market_requests"], Overflow.DROP_NEWEST)
    stream, rng = StreamConfig(topics="trades+orders_matched"), system_random()
    async with trio.open_nursery() as nursery:
        dialer = RtdsDialer(url=url, user_agent="bench", frame_bytes_max=stream.frame_bytes_max, nursery=nursery)
        reader = StreamReader(
            dialer=dialer,
            trades=raw_trades.outbox(),
            gaps=gaps.outbox(),
            config=stream,
            clock=SystemClock(),
            rng=rng,
        )
        trade_filter = TradeFilter(
            trades=raw_trades.inbox,
            copied=copied.outbox(),
            kept=writer.outbox(),
            markets=markets.outbox(),
            targets=Sets(TargetSets(lanes=lanes, version=1)),
            config=FilterConfig(),
        )
        nursery.start_soon(reader.run)
        nursery.start_soon(trade_filter.run)
        await until_measured(lambda: trade_filter.seen_by_lane["none"])
        assert not raw_trades.statistics().dropped
        nursery.cancel_scope.cancel()


async def until_measured(seen: Callable[[], int]) -> None:
    """Prints the processor time a frame, once enough of them were seen; looks at the count now and then."""
    frames_min = int(sys.argv[3])
    sys.stdout.write("warm\n")
    sys.stdout.flush()
    while seen() < WARM_UP_FRAMES:
        await trio.sleep(0.01)
    first, began_cpu_s, began_s = seen(), time.process_time(), time.perf_counter()
    while seen() - first < frames_min:
        await trio.sleep(0.01)
    frames, used_s, took_s = seen() - first, time.process_time() - began_cpu_s, time.perf_counter() - began_s
    answer = {"cpu_us": used_s / frames * 1e6, "frames_per_s": frames / took_s, "busy": used_s / took_s}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measures once."""
    url, kind = sys.argv[1], sys.argv[2]
    gc.freeze()
    if kind == "bare":
        trio.run(bare, url)
    else:
        trio.run(as_engine, url, dict.fromkeys(wallets(TARGET, int(kind)), Lane.TARGET))


if __name__ == "__main__":
    main()
