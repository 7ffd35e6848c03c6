"""What has to be true of a cluster, beside orders and money (`sim_audit.Auditor`): who submits, who writes, who takes over."""

from collections.abc import Sequence

import attrs
import trio
from simulation.cluster_sim.cluster_node import Node
from simulation.cluster_sim.cluster_world import ClusterWorld

from engine.adapters.postgres.leases import Leases
from engine.live_hosting import lease_of

TAKE_OVER_S = 2.0
LOOK_S = 0.25


@attrs.define(eq=False)
class ClusterAuditor:
    """Looks at the leases by the database's clock, and at what leaves the nodes."""

    world: ClusterWorld
    calm_since_s: float = 0.0
    """Since when the database answers everybody."""
    takeovers_s: list[float] = attrs.field(factory=list)
    """How long leases were nobody's after their end, with somebody well enough to take them."""
    idle_s: list[float] = attrs.field(factory=list)
    """How long accounts were traded by nobody, with somebody well all the time."""
    _free_since_s: dict[str, float] = attrs.field(factory=dict)
    _idle_since_s: dict[str, float] = attrs.field(factory=dict)

    def submits(self, node: Node, account: str) -> None:
        """An order leaves: nobody else may hold the account's lease, or have held it since."""
        row = self.world.database.leases[lease_of(account)]
        if row.owner != node.owner:
            self.world.blame(f"two submit for {account}: {node.owner} does, after {row.owner} took over")

    def wrote(self, name: str, leases: Leases) -> None:
        """A write under leases went through: all of them must be its own."""
        if not self.world.database.is_ours(leases):
            owners = {self.world.database.leases[hold.name].owner for hold in leases.holds} - {leases.holds[0].owner}
            self.world.blame(
                f"{name} of {leases.holds[0].owner} was written after {', '.join(sorted(owners))} took over"
            )

    def begins(self, node: Node, accounts: Sequence[str]) -> None:
        """A node begins to trade: at that moment nobody else may be about to send.

        Unless it slept since it asked for the leases, and finds by its own clock that it may send nothing.
        """
        if node.held is None or not node.held.is_safe():
            return
        for other in self.world.nodes:
            if other is not node and other.held is not None and other.held.is_safe():
                for account in set(accounts) & set(other.trades):
                    self.world.blame(f"{node.owner} begins with {account}, of which {other.owner} believes to be safe")

    async def watch_takeovers(self) -> None:
        """A lease that has run out is somebody's within two seconds, where a node is well that may have it."""
        world, database = self.world, self.world.database
        while True:
            await trio.sleep(LOOK_S)
            now_s = trio.current_time()
            if database.down or database.fails_before or database.latency_s > 0.01:
                self.calm_since_s = now_s
            self._look_at_trading(now_s)
            for name in [lease_of(one.name) for one in world.accounts]:
                if database.holder(name) is not None:
                    free_s = self._free_since_s.pop(name, None)
                    if free_s is not None:
                        self.takeovers_s.append(now_s - free_s)
                    continue
                if self._could_be_taken(now_s):
                    since_s = self._free_since_s.setdefault(name, now_s)
                    if now_s - since_s > TAKE_OVER_S:
                        world.blame(f"{name} was nobody's for {now_s - since_s:.1f} s")
                        self._free_since_s[name] = float("inf")
                else:
                    self._free_since_s.pop(name, None)

    def _look_at_trading(self, now_s: float) -> None:
        """What nobody holds who is not well is traded within two seconds, and as long as a round may take to end."""
        longest_s = TAKE_OVER_S + self.world.config.limits.drain_s
        well = {node.owner for node in self.world.nodes if node.well_since_s <= now_s}
        traded = {name for node in self.world.nodes if not node.is_frozen for name in node.trades}
        for account in [one.name for one in self.world.accounts]:
            since_s = self._idle_since_s.setdefault(account, now_s)
            holder = self.world.database.holder(lease_of(account))
            waits = holder is not None and holder not in well
            if account in traded or waits or not self._could_be_taken(now_s):
                if account in traded and now_s > since_s:
                    self.idle_s.append(now_s - since_s)
                del self._idle_since_s[account]
            elif now_s - since_s > longest_s:
                self.world.blame(f"{account} was traded by nobody for {now_s - since_s:.1f} s")
                self._idle_since_s[account] = float("inf")

    def _could_be_taken(self, now_s: float) -> bool:
        """Whether someone has been up, awake and joined for a lease's time, who is not about to end a round."""
        settled_s = now_s - self.world.ttl_s
        return self.calm_since_s < settled_s and any(node.well_since_s < settled_s for node in self.world.nodes)
