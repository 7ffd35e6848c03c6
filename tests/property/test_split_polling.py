import attrs
import trio
from property.hot_world import HotWorld, wallets
from property.memory_members import report_of
from property.supervised import run_jumping, supervisor

from actors.polling.hot_poller import HotPoller
from actors.rules.wallet_split import owner_of
from config.poller import HotPollerConfig
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.cluster import ClusterView, Member, Role


def member(name):
    return Member(report=report_of(name, Role.POLL), shares={}, up_s=1, seen_age_s=0, left_s=10, has_left=False)


@attrs.define(eq=False)
class Seen:
    """A view that a test sets."""

    me: str
    names: tuple[str, ...] = ()
    version: int = 0

    def view(self):
        return ClusterView(member_id=self.me, members=[member(name) for name in self.names], version=self.version)

    def sees(self, *names):
        self.names, self.version = names, self.version + 1


@attrs.define(eq=False, slots=False)
class Two:
    """Two engines that poll for one database."""

    count: int = 24

    def __attrs_post_init__(self):
        self.first = HotWorld(wallets(self.count), settings={"cooldown_s": 1})
        self.views = {name: Seen(name, (name,)) for name in ("a", "b")}
        self.pollers = {"a": self.first.hot, "b": self.other_poller()}
        for name, poller in self.pollers.items():
            poller.membership = self.views[name]

    def other_poller(self):
        first = self.first
        return HotPoller(
            wallet_poll=first.world.new_poll(), store=first.world.store, outlets=first.world.outlets,
            targets=first.targets, coverage=first.coverage, config=HotPollerConfig(cooldown_s=1), rng=Random(4),
        )  # fmt: skip

    def listed(self, name):
        return set(self.pollers[name].queue.entries)

    def run(self, *steps, until_s):
        async def main():
            async with trio.open_nursery() as nursery:
                await self.first.world.open(nursery)
                for name, poller in self.pollers.items():
                    await nursery.start(supervisor().run_group, name, (Child(name=f"poller {name}", run=poller.run),))
                for at_s, do in steps:
                    await trio.sleep_until(at_s)
                    do()
                await trio.sleep_until(until_s)
                nursery.cancel_scope.cancel()

        run_jumping(main)
        return self


def test_each_polls_what_it_owns_and_all_is_polled():
    two = Two()
    for view in two.views.values():
        view.sees("a", "b")
    two.run(until_s=30)
    assert two.listed("a") | two.listed("b") == set(wallets(24))
    assert not two.listed("a") & two.listed("b")
    for name in ("a", "b"):
        assert two.listed(name) == {one for one in wallets(24) if owner_of(one, ["a", "b"]) == name}
    assert all(two.first.accounts.times(one) for one in wallets(24))


def test_whoever_stays_takes_over_the_wallets_of_one_who_died():
    two = Two()
    for view in two.views.values():
        view.sees("a", "b")
    own = {}

    def b_is_out():
        own.update({name: two.listed(name) for name in ("a", "b")})
        two.views["b"].sees()

    two.run((10, b_is_out), (14, lambda: two.views["a"].sees("a")), until_s=40)
    accounts = two.first.accounts
    # Out of the cluster nobody is polled: no view of others may count on it.
    assert all(not [at for at in accounts.times(one) if 11.5 < at < 14] for one in own["b"])
    assert two.listed("a") == set(wallets(24))
    assert all([at for at in accounts.times(one) if at > 14] for one in own["b"])
    assert all([at for at in accounts.times(one) if 11.5 < at < 14] for one in own["a"])


def test_while_views_differ_two_poll_one_wallet_and_each_snapshot_counts_once():
    """Each believes to be alone: everything is polled twice, what is booked is booked under one number after the other."""
    two = Two(count=6)
    two.run(until_s=30)
    assert two.listed("a") == two.listed("b") == set(wallets(6))
    void = sum(poller.wallet_poll.figures.void for poller in two.pollers.values())
    polls = sum(poller.wallet_poll.figures.polls for poller in two.pollers.values())
    assert polls > 60
    numbers = {one: two.first.world.store.snapshots[one] for one in wallets(6)}
    assert sum(numbers.values()) == polls - void
