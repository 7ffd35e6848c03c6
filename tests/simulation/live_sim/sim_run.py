"""Runs one seed: a storm, a calm in which everything has to come to its end, and the end of all markets."""

import gc
import hashlib
import logging
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import trio
import trio.testing
from simulation.live_sim.sim_audit import Auditor
from simulation.live_sim.sim_people import Crowd, Operators, Oracle, Traders
from simulation.live_sim.sim_weather import Swarm
from simulation.live_sim.sim_world import SimWorld

from engine.replay.host import one_order_of_tasks

STORM_S = (60.0, 240.0)
CALM_S = 900.0
END_S = 900.0
LOOK_S = 5.0
RESTFUL_LOOKS = 3


@attrs.frozen(kw_only=True)
class SeedResult:
    """What came of a seed."""

    seed: int
    violations: tuple[str, ...]
    log: tuple[str, ...]
    figures: Counter[str]
    """Orders by their status, faults that happened, processes."""

    @property
    def digest(self) -> str:
        """Equal digests: the same things happened in the same order at the same times."""
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()

    def told(self) -> str:
        """What a person needs to go on with a seed that failed."""
        lines = [f"seed {self.seed}: {len(self.violations)} violations; replay: {replay_command(self.seed)}"]
        return "\n".join([*lines, *(f"  {one}" for one in self.violations[:10])])


def replay_command(seed: int) -> str:
    """The command that runs a seed again with its log."""
    return f"PYTHONPATH=tests .venv/bin/python -m simulation.live_sim --first {seed} --count 1 --log"


def run_seed(seed: int) -> SeedResult:
    """Runs a world to its end; nothing but the seed decides what happens."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    try:
        with one_order_of_tasks(seed), _quiet():
            return trio.run(_run, seed, clock=clock)
    except Exception as error:
        told = "".join(traceback.format_exception(error))[-3_000:]
        return SeedResult(seed=seed, violations=(f"the world fell over: {told}",), log=(), figures=Counter())


async def _run(seed: int) -> SeedResult:
    world = SimWorld(seed)
    auditor, swarm = Auditor(world), Swarm(world)
    world.database.committed = auditor.after_commit
    crowd, oracle = Crowd(world), Oracle(world)
    rng = world.rng("run")
    async with trio.open_nursery() as nursery:
        await nursery.start(world.venue.run)
        nursery.start_soon(world.run_engines, lambda: rng.uniform(0.1, 3))
        with trio.move_on_after(rng.uniform(*STORM_S)):
            async with trio.open_nursery() as storm:
                for task in (
                    swarm.blow, Traders(world).trade, crowd.move, Operators(world).operate, oracle.decide, oracle.redeem
                ):  # fmt: skip
                    storm.start_soon(task)
        _make_calm(world, swarm, crowd)
        await _until_rest(auditor, CALM_S)
        for what in (*auditor.restless(), *auditor.agrees()):
            world.blame(f"after the calm: {what}")
        for market in world.open_markets():
            oracle.resolve(market)
        await _until_over(auditor, oracle)
        auditor.always()
        for what in (*auditor.over(), *auditor.agrees()):
            world.blame(f"at the end: {what}")
        world.over = True
        nursery.cancel_scope.cancel()
    return SeedResult(
        seed=seed, violations=tuple(world.violations), log=tuple(world.log), figures=_figures(world, auditor)
    )


def _make_calm(world: SimWorld, swarm: Swarm, crowd: Crowd) -> None:
    swarm.calm()
    world.table.halt = None
    for market in world.open_markets():
        crowd.restore(market)


async def _until_rest(auditor: Auditor, seconds: float) -> None:
    """What comes late, such as a position that grows too old, may stir everything once more."""
    looks = 0
    with trio.move_on_after(seconds):
        while looks < RESTFUL_LOOKS:
            await trio.sleep(LOOK_S)
            looks = 0 if auditor.restless() else looks + 1


async def _until_over(auditor: Auditor, oracle: Oracle) -> None:
    with trio.move_on_after(END_S):
        while [*auditor.over()]:
            await trio.sleep(LOOK_S)
            oracle.redeem_all()


def _figures(world: SimWorld, auditor: Auditor) -> Counter[str]:
    figures = Counter[str]()
    for kept in world.ledger.state.orders.values():
        figures[f"{kept.order.intent.origin} {kept.order.status}"] += 1
        if kept.order.status.value == "REJECTED":
            figures[f"because {kept.order.reason}"] += 1
    figures.update({f"fault {kind}": count for kind, count in world.venue.exchange.faults.taken.items()})
    for one in world.ledger.state.exits.values():
        figures[f"exit {one.status}"] += 1
    figures["accepted"] = len(world.venue.accepted)
    figures["processes"] = world.lives
    figures["crashes"] = sum(" crash of " in line for line in world.log)
    figures["checks"] = auditor.checks
    figures["commits"] = auditor.commits
    return figures


@contextmanager
def _quiet() -> Iterator[None]:
    """Thousands of expected warnings would cost more than the world does."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    gc.freeze()
    try:
        yield
    finally:
        logging.disable(before)
        gc.unfreeze()
