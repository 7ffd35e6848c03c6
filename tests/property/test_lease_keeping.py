"""Leases of one process, extended in time: what an outage of the database costs of that time."""

import attrs
import pytest
import trio
from property.supervised import run_jumping

from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.leases import LeaseHold, lease_options
from engine.lease_keeping import extend_forever
from protocols.errors import FencedError, TransientError

TTL_S = 15.0
HOLD = LeaseHold(name="ingest", owner="me", epoch=1)


@attrs.define(eq=False)
class Office:
    down_from_s: float = float("inf")
    back_at_s: float = 0.0
    fenced_at_s: float = float("inf")
    patience_s: float = 3.75
    ttl_s: float = TTL_S
    asked_s: list[float] = attrs.field(factory=list)

    async def extend(self, hold):
        now_s = trio.current_time()
        self.asked_s.append(now_s)
        if now_s >= self.fenced_at_s:
            raise FencedError("taken over")
        if self.down_from_s <= now_s < self.back_at_s:
            await trio.sleep(self.patience_s)
            raise TransientError("no answer")


def kept(office, for_s):
    """Returns when all leases were extended."""
    extended = []

    async def main():
        with trio.move_on_after(for_s):
            await extend_forever(office, (HOLD,), extended.append)

    run_jumping(main)
    return extended


def test_leases_are_extended_three_times_in_their_time():
    assert kept(Office(), 31) == pytest.approx([0, 5, 10, 15, 20, 25, 30])


@pytest.mark.parametrize("back_at_s", [6, 8, 11, 14])
def test_a_database_that_is_back_is_asked_before_the_lease_has_run_out(back_at_s):
    extended = kept(Office(down_from_s=5, back_at_s=back_at_s), 40)
    again_s = next(at_s for at_s in extended if at_s > 4)
    assert again_s <= back_at_s + 3.75 + 1
    assert again_s < 0 + TTL_S + 5


def test_a_database_that_stays_away_is_not_asked_more_often_than_before_once_the_lease_has_run_out():
    office = Office(down_from_s=1, back_at_s=1_000, patience_s=0)
    kept(office, 300)
    late = [at_s for at_s in office.asked_s if at_s > 2 * TTL_S]
    assert len(late) <= (300 - 2 * TTL_S) / (TTL_S / 3) + 1


def test_who_has_lost_a_lease_is_told():
    with pytest.raises(FencedError):
        kept(Office(fenced_at_s=20), 60)


@pytest.mark.parametrize(("ttl_s", "patience_s"), [(2, 2), (4, 2), (15, 3.75), (300, 30)])
def test_a_silent_server_is_given_up_while_the_lease_lasts(ttl_s, patience_s):
    options = lease_options(DatabaseOptions(dsn="postgresql://there", pooled=True), ttl_s)
    assert options.statement_timeout_s == patience_s <= ttl_s
    assert options.connect_timeout_s == min(10, patience_s)
    assert (options.dsn, options.pooled) == ("postgresql://there", True)
