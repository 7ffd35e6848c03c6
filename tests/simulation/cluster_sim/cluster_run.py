"""Runs one seed of a cluster: a storm, a calm in which everything has to come to its end, and the end of all markets."""

import traceback
from collections import Counter

import attrs
import trio
import trio.testing
from simulation.cluster_sim.cluster_audit import TAKE_OVER_S, ClusterAuditor
from simulation.cluster_sim.cluster_swarm import ClusterSwarm, ClusterTraders
from simulation.cluster_sim.cluster_world import Build, ClusterWorld
from simulation.cluster_sim.freezer import Freezer
from simulation.cluster_sim.lane_node import WRITE
from simulation.live_sim.sim_audit import Auditor
from simulation.live_sim.sim_people import Crowd, Operators, Oracle
from simulation.live_sim.sim_run import SeedResult, _figures, _make_calm, _quiet, _until_over, _until_rest

from engine.replay.host import one_order_of_tasks

STORM_S = (60.0, 180.0)
CALM_S = 900.0
FENCED = Build()


@attrs.frozen(kw_only=True)
class ClusterResult(SeedResult):
    """What came of a seed of a cluster."""

    build: Build = FENCED

    def told(self) -> str:
        """What a person needs to go on with a seed that failed: the command, what is wrong, and what happened before that."""
        command = replay_command(self.seed, self.build)
        lines = [f"seed {self.seed}: {len(self.violations)} violations; replay: {command}"]
        lines += [f"  {one}" for one in self.violations[:10]]
        first = next((at for at, line in enumerate(self.log) if " VIOLATION " in line), None)
        if first is not None:
            lines += [
                "  what happened before the first:",
                *(f"    {one}" for one in self.log[max(0, first - 25) : first + 1]),
            ]
        return "\n".join(lines)


def replay_command(seed: int, build: Build = FENCED) -> str:
    """The command that runs a seed again with its log."""
    switches = "" if build.checks_fence else " --no-fence"
    switches += "" if build.holds_back else " --no-margin"
    switches += "" if build.rereads else " --no-reread"
    switches += "" if build.trades else " --lanes-only"
    return f"PYTHONPATH=.:tests python -m simulation.cluster_sim --first {seed} --count 1 --log{switches}"


def run_seed(seed: int, build: Build = FENCED) -> ClusterResult:
    """Runs a world to its end; nothing but the seed decides what happens."""
    clock, freezer = trio.testing.MockClock(autojump_threshold=0), Freezer()
    try:
        with one_order_of_tasks(seed), _quiet(), freezer.installed():
            return trio.run(_run, seed, freezer, build, clock=clock)
    except Exception as error:
        told = "".join(traceback.format_exception(error))[-3_000:]
        return ClusterResult(
            seed=seed, violations=(f"the world fell over: {told}",), log=(), figures=Counter(), build=build
        )


async def _run(seed: int, freezer: Freezer, build: Build) -> ClusterResult:
    world = ClusterWorld(seed, freezer, build)
    auditor, cluster, swarm = Auditor(world), ClusterAuditor(world), ClusterSwarm(world)
    world.auditors.append(cluster)
    # Orders and money do not change with a trade of lanes 1 and 2: looking at all of them after each would cost the most.
    world.database.committed = lambda name: None if name == WRITE else auditor.after_commit(name)
    world.database.wrote = cluster.wrote
    crowd, oracle = Crowd(world), Oracle(world)
    rng = world.rng("run")
    async with trio.open_nursery() as nursery:
        await nursery.start(world.venue.run)
        world.database.nursery = world.lanes.redis.nursery = world.venue.nursery
        nursery.start_soon(world.lanes.trade)
        for node in world.nodes:
            nursery.start_soon(node.run, lambda: rng.uniform(0.1, 3))
        if build.trades:
            nursery.start_soon(cluster.watch_takeovers)
        with trio.move_on_after(rng.uniform(*STORM_S)):
            async with trio.open_nursery() as storm:
                people = (
                    ClusterTraders(world).trade, crowd.move, Operators(world).operate, oracle.decide, oracle.redeem
                )  # fmt: skip
                for task in (swarm.blow, *(people if build.trades else ())):
                    storm.start_soon(task)
        _make_calm(world, swarm, crowd)
        await world.lanes.come_to_rest()
        await _until_rest(auditor, CALM_S)
        for what in (*auditor.restless(), *auditor.agrees(), *world.lanes.problems()):
            world.blame(f"after the calm: {what}")
        for market in world.open_markets():
            oracle.resolve(market)
        await _until_over(auditor, oracle)
        auditor.always()
        for what in (*auditor.over(), *auditor.agrees()):
            world.blame(f"at the end: {what}")
        world.over = True
        for node in world.nodes:
            node.kill()
        nursery.cancel_scope.cancel()
    return ClusterResult(
        seed=seed,
        violations=tuple(world.violations),
        log=tuple(world.log),
        figures=_all_figures(world, auditor, cluster),
        build=build,
    )


def _all_figures(world: ClusterWorld, auditor: Auditor, cluster: ClusterAuditor) -> Counter[str]:
    world.lives = sum(node.lives for node in world.nodes)
    figures, database = _figures(world, auditor), world.database
    figures["answers lost"] = database.lost_answers
    figures["fenced off"] = database.fenced_off
    figures["late at the database"] = database.late
    figures["failovers"] = database.failovers
    figures["orders sent"] = world.submits_seen
    figures["epochs"] = sum(row.epoch for row in database.leases.values())
    for word in ("frozen", "killed", "cut from the database", "cut from the venue", "asked to stop"):
        figures[f"nodes {word}"] = sum(line.endswith(f" {word}") for line in world.log)
    figures["redis killed"] = sum(line.endswith(" redis killed") for line in world.log)
    figures["nodes cut from redis"] = sum(line.endswith(" cut from redis") for line in world.log)
    figures.update(world.lanes.figures())
    figures["take-overs"] = len(cluster.takeovers_s)
    figures["accounts idle"] = len(cluster.idle_s)
    figures["accounts idle for longer than two seconds"] = sum(idle_s > TAKE_OVER_S for idle_s in cluster.idle_s)
    return figures
