"""kill -9 at every named point of the order path: no order lost, none sent twice, the ledger exact.

After each kill the tables add up. In the end one engine lives until everything has come to rest, and journal, positions and
cash are compared with the venue's own. The same with a blind resend must fail: otherwise this test sees nothing.
"""

from decimal import Decimal

import pytest
import trio
from crash.engine_process import EngineProcess
from crash.killed_engine import POINTS
from crash.live_audit import audit, audit_end, audit_venue
from crash.live_world import START_USD, LiveWorld, armed_engine, live_world

from protocols.clock import Random

START_MAX_S = 30.0
LIFE_MAX_S = 6.0
"""From when the engine is ready: on a slow machine it may take as long to start."""
REST_S = 60.0
STOP_S = 15.0
FAULTS = (
    "answer_lost",
    "accepted_late",
    "error_after",
    "error_before",
    "trade_failed",
    "trade_retrying",
    "socket_lost",
)


async def one_life(live: LiveWorld, point: str, rng: Random, *, resend: bool = False) -> bool:
    """Runs an engine until it kills itself, or is killed; returns whether it was the point that killed it."""
    passes = 1 if point.startswith(("start", "settlement", "exit", "decline")) else rng.randint(1, 12)
    async with armed_engine(live.world.settings, point, passes, resend=resend) as engine:
        await started(engine)
        with trio.move_on_after(LIFE_MAX_S):
            while engine.process.poll() is None:
                await trio.sleep(0.02)
            assert engine.process.returncode == -9, engine.log_text()[-4000:]
            return True
        engine.process.kill()
        engine.process.wait()
        return False


async def started(engine: EngineProcess) -> None:
    """Returns when an engine is ready, or dead."""
    with trio.move_on_after(START_MAX_S):
        while engine.process.poll() is None and ((answer := await engine.readyz()) is None or answer[0] != 200):
            await trio.sleep(0.05)


async def kills(seed: int, points: list[str], *, resend: bool = False) -> int:
    """Returns how many kills happened at their points."""
    rng = Random(seed)
    async with live_world(seed) as live:
        hits = 0
        for number, point in enumerate(points):
            if number % 4 == 3:
                await live.fault(rng.choice(FAULTS), count=1)
            began_s = trio.current_time()
            hit = await one_life(live, point, rng, resend=resend)
            print(f"{point:<28} {'killed' if hit else 'not reached'} after {trio.current_time() - began_s:.1f} s")
            hits += hit
            orders = await audit(live.world.database)
            audit_venue(orders, await live.account())
        await live.world.post("/play", action="pause")
        await come_to_rest(live)
        assert len([order for order in orders if order["filled_shares"] > 0]) > 5, "nothing was traded"
        return hits


async def come_to_rest(live: LiveWorld) -> None:
    """Lets one engine live until every order has ended and every obligation is met, then compares everything.

    What it left is read when it is gone: an order that is sent between two readings would be a stranger.
    """
    async with armed_engine(live.world.settings) as engine:
        await engine.until_ready(30)
        with trio.move_on_after(REST_S):
            while await unrest(live):
                assert engine.process.poll() is None, engine.log_text()[-4000:]
                await trio.sleep(0.3)
        engine.process.terminate()
        with trio.move_on_after(STOP_S):
            while engine.process.poll() is None:
                await trio.sleep(0.05)
    orders, account = await audit(live.world.database), await live.account()
    audit_venue(orders, account)
    audit_end(orders, account, START_USD, Decimal(0))


async def unrest(live: LiveWorld) -> int:
    """What still moves. In a market that stands still nobody bids for some positions: they are held until it is resolved."""
    rows = await live.world.fetch(
        "SELECT (SELECT count(*) FROM lt_orders WHERE NOT ended)"
        " + (SELECT count(*) FROM lt_fills WHERE status NOT IN ('CONFIRMED', 'FAILED'))"
        " + (SELECT count(*) FROM lt_exits WHERE status = 'OPEN' AND detail IS DISTINCT FROM 'nobody bids') AS open"
    )
    return int(rows[0]["open"])


@pytest.mark.timeout(600)
async def test_kills_at_the_points_of_the_order_path_lose_and_double_nothing():
    points = list(POINTS)
    assert await kills(7, points[:20]) >= 10, "the points were hardly ever reached: this test lost its teeth"


@pytest.mark.timeout(600)
async def test_a_blind_resend_is_seen():
    points = ["journal-after-commit", "post-during-send", "post-after-answer", "answer-before-event"] * 4
    with pytest.raises(BaseExceptionGroup) as raised:
        await kills(8, points, resend=True)
    assert any("not in the journal" in text for text in leaves(raised.value))


def leaves(error: BaseException) -> list[str]:
    if isinstance(error, BaseExceptionGroup):
        return [text for inner in error.exceptions for text in leaves(inner)]
    return [str(error)]


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", range(10))
async def test_a_hundred_kills_of_a_seed_lose_and_double_nothing(seed):
    rng = Random(1_000 + seed)
    points = [point for _ in range(5) for point in rng.sample(list(POINTS), len(POINTS))][:100]
    assert await kills(1_000 + seed, points) >= 50
