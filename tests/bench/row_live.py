"""From a trade on the wire to its signed order on the wire, both commits durable first.

The sender writes the machine's monotonic time into the frame just before it hands it to the kernel; the venue, a process of
its own, notes the same clock when it has read the whole of a `POST /order`. Between them lies everything: decision and claim
in commit 1, book, risk rules, signature, journal in commit 2, and the request.
"""

import json
import sys
import time
from collections import Counter
from decimal import Decimal

import attrs
import trio

from .bench import Bench
from .figures import Figure, quantile
from .live_engines import LIVE, STAKE_USD, LiveBench, live_bench
from .processes import ROOT, cpu_s
from .row_latency import RATE, own_quantiles_ms
from .upstream_calls import upstream_calls

TARGETS = (1, 20, 1_000)
HISTOGRAM = "polycopy_trade_to_order_seconds_bucket"
BURST, REPETITIONS = 50, 5
PASSING_BY_RATE, PASSING_BY_CASH = 20, 30


async def measure(bench: Bench) -> list[Figure]:
    """Measures the way of an order, its signature, bursts, and that nobody calls the CLOB who does not trade."""
    return [*await _latency(bench), *await _signing(), *await _bursts(bench), await _calls(bench)]


async def _latency(bench: Bench) -> list[Figure]:
    figures, medians = list[Figure](), list[float]()
    for targets in TARGETS:
        waits_ms, note = await _waits(bench, targets)
        medians.append(quantile(waits_ms, 0.5))
        for share, target_ms in ((0.5, 5.0), (0.99, 15.0)):
            figures.append(
                Figure(
                    row="live",
                    what=f"trade on the wire → signed order on the wire, {targets:,} targets, {RATE}/s, p{share * 100:.0f}",
                    value=quantile(waits_ms, share),
                    unit="ms",
                    target=target_ms,
                    reference=1_200.0 if share == 0.5 else 7_200.0,
                    reference_text="1.2..7.2 s polling bots (recorded)",
                    note=note if share == 0.5 else "",
                )
            )
    flat = max(medians) / min(medians)
    figures.append(
        Figure(row="live", what="  slowest of these medians to the fastest", value=flat, unit="×", target=1.2)
    )
    return figures


async def _waits(bench: Bench, targets: int) -> tuple[list[float], str]:
    async with live_bench(bench, targets=targets) as live:
        # The first ones open connections and prepare statements; a running engine has done that long ago.
        await _pace(live, "warm", 4, targets)
        before, cpu_before_s, began_ns = await live.engine.metrics(), cpu_s(live.engine.pid), time.monotonic_ns()
        sent = await _pace(live, "live", bench.either(12, 40), targets, seed=2)
        cpu_ms = (cpu_s(live.engine.pid) - cpu_before_s) / sent * 1000
        own_ms = await own_quantiles_ms(live.engine, before, HISTOGRAM)
        waits_ms = await live.waits_ms(began_ns)
        if len(waits_ms) < sent:
            bench.say(f"  {targets} targets: {len(waits_ms)} orders of {sent} trades")
        bench.say(
            f"  {targets} targets: p50 {quantile(waits_ms, 0.5):.2f}, p99 {quantile(waits_ms, 0.99):.2f} ms, "
            f"own {own_ms[0]:.2f} and {own_ms[1]:.2f} ms, {cpu_ms:.1f} ms CPU a trade"
        )
        open_ = await live.database.value("SELECT count(*) FROM lt_orders WHERE NOT ended")
        return waits_ms, (
            f"{len(waits_ms)} orders of {sent} trades; own histogram p50 {own_ms[0]:.2g}, p99 {own_ms[1]:.2g} ms; "
            f"{cpu_ms:.1f} ms CPU a trade; {open_} orders open at the end"
        )


async def _pace(live: LiveBench, label: str, seconds: float, targets: int, seed: int = 1) -> int:
    order = {"label": label, "rate": RATE, "noise_rate": 0, "seconds": seconds, "wallets": targets, "seed": seed}
    sent = (await live.sender.order("pace", buys=True, **order))["sent"]
    await trio.sleep(1)
    return int(sent)


async def _signing() -> list[Figure]:
    with trio.fail_after(180):
        done = await trio.run_process([sys.executable, "-m", "tests.bench.signing_cost"], cwd=ROOT, capture_stdout=True)
    cost = json.loads(done.stdout)
    others = f"{cost['py_clob_client_v2']:.3g} ms py_clob_client_v2, {cost['polymarket']:.3g} ms polymarket"
    return [
        Figure(
            row="live",
            what="hash and signature of an order",
            value=cost["ours"],
            unit="ms",
            target=0.06,
            reference=min(cost["py_clob_client_v2"], cost["polymarket"]),
            reference_text=others,
            note="medians, in turn, one process; the same signature by all three",
        )
    ]


async def _bursts(bench: Bench) -> list[Figure]:
    by_rate = attrs.evolve(LIVE, max_orders_per_minute=PASSING_BY_RATE)
    by_cash = STAKE_USD * PASSING_BY_CASH + Decimal("1.99")
    async with live_bench(bench, targets=1) as live:
        spans_s = []
        for number in range(REPETITIONS):
            before = len(await live.arrivals())
            began_ns = time.monotonic_ns()
            await _burst(live, number)
            await live.settled(before + BURST)
            waits_ms = await live.waits_ms(began_ns)
            if len(waits_ms) != BURST:
                raise RuntimeError(f"{len(waits_ms)} orders of a burst of {BURST}")
            spans_s.append(max(waits_ms) / 1000)
            bench.say(f"  burst: {BURST} orders within {spans_s[-1]:.3f} s")
    async with live_bench(bench, targets=1, settings=by_rate) as live:
        let_by_rate = await _burst_of(live)
    async with live_bench(bench, targets=1, capital_usd=by_cash) as live:
        let_by_cash = await _burst_of(live)
    return [
        Figure(row="live", what=f"burst of {BURST} trades of one leader: the last order sent after", value=max(spans_s),
               unit="s", target=1.0, note=f"the slowest of {REPETITIONS}; fastest {min(spans_s):.3g} s"),
        Figure(row="live", what=f"  orders of such a burst more or less than the {PASSING_BY_RATE} that may pass in a minute",
               value=abs(let_by_rate - PASSING_BY_RATE), target=0),
        Figure(row="live", what=f"  orders of such a burst more or less than the {PASSING_BY_CASH} that there is money for",
               value=abs(let_by_cash - PASSING_BY_CASH), target=0),
    ]  # fmt: skip


async def _burst(live: LiveBench, number: int) -> None:
    order = {"label": "burst", "transaction": number, "count": BURST, "within_s": 0, "wallets": 1}
    await live.sender.order("burst", buys=True, **order)


async def _burst_of(live: LiveBench) -> int:
    await _burst(live, 0)
    await live.settled(BURST, timeout_s=3)
    return len(await live.arrivals())


async def _calls(bench: Bench) -> Figure:
    """Trades flow, Gamma answers, and nothing is traded: with live trading off, and with its only strategy paused."""
    counts = dict[str, Counter[tuple[str, str]]]()
    for name, is_on in (("off", False), ("paused", True)):
        async with live_bench(bench, targets=20, paused=True, is_on=is_on, markets_known=False) as live:
            await _pace(live, "calls", bench.either(5, 20), 20)
            counts[name] = upstream_calls(await live.engine.metrics())
    bench.say(f"  calls: {counts}")
    off = sum(count for (api, _), count in counts["off"].items() if api == "clob")
    gamma = sum(count for calls in counts.values() for (api, _), count in calls.items() if api == "gamma")
    account = counts["paused"]["clob", "orders"]
    books = sum(count for (api, _), count in counts["paused"].items() if api == "clob") - account
    return Figure(
        row="live",
        what="CLOB calls outside trading, while Gamma answers",
        value=off + books,
        target=0,
        note=f"{gamma:.0f} of Gamma; live trading off: {off:.0f}; on and its strategy paused: {books:.0f} for books, "
        f"{account:.0f} to compare the account",
    )
