import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from score.made_figures import made_drift, made_model
from score.test_features import BUY

from actors.jobs.model_watch import ModelWatch
from actors.jobs.train_model import TrainModel
from actors.model_desk import ModelDesk
from config.scoring import ModelsConfig
from engine.adapters.postgres.database import Connection, database_loop
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.model_store import PostgresModelStore
from engine.model_switching import FILE_GOES_FIRST, UnknownModelError, activate, deactivate
from protocols.clock import Random
from protocols.decisions import Absent, Present
from protocols.errors import FencedError, RejectedError
from protocols.jobs import JobLease, RunningJob

POLL_MAX_S = 10.0


@pytest.fixture
async def connection(database, aio):
    made = Connection(database, "models")
    yield made
    await made.aclose()


@pytest.fixture
def store(connection):
    return PostgresModelStore(connection)


async def lease_of(connection, job="train-model"):
    lease = await PostgresJobStore(connection).claim(job, slot_ms=0, owner="me", holder="test", ttl_s=600)
    assert isinstance(lease, JobLease)
    return RunningJob(lease=lease)


async def test_a_model_comes_back_as_it_was_kept(store):
    model_id = await store.add(made_model())
    row = await store.model(model_id)
    assert attrs.asdict(row, recurse=False) == attrs.asdict(
        made_model(), recurse=False, filter=lambda a, _: a.name != "document"
    ) | {
        "model_id": model_id,
        "created_ms": row.created_ms,
        "is_active": False,
    }
    assert await store.document(model_id) == made_model().document
    assert (await store.model(model_id + 1), await store.document(model_id + 1)) == (None, None)


async def test_models_and_switches_come_in_pages_newest_first(store):
    ids = [await store.add(made_model()) for _ in range(5)]
    first = await store.models(before=None, rows_max=3)
    rest = await store.models(before=first[-1].model_id, rows_max=3)
    assert [row.model_id for row in (*first, *rest)] == ids[::-1]
    for model_id in ids:
        await store.switch(model_id, by="ann", reason="try")
    first = await store.switches(before=None, rows_max=3)
    rest = await store.switches(before=first[-1].switch_id, rows_max=3)
    assert [one.model_id for one in (*first, *rest)] == ids[::-1]
    assert [row.is_active for row in await store.models(before=None, rows_max=9)] == [True, False, False, False, False]


async def test_what_was_switched_is_never_changed(store, connection):
    await store.switch(await store.add(made_model()), by="ann", reason="")
    for statement in ("UPDATE score_model_switches SET by = 'bob'", "DELETE FROM score_model_switches"):
        with pytest.raises(Exception, match="never changed"):
            await connection.run(lambda raw, statement=statement: raw.execute(statement))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["on", "off", "off_if"]), st.integers(0, 2), st.integers(0, 2)), max_size=8
    )
)
def test_switching_is_what_a_variable_would_do(database, steps):
    async def main():
        async with database_loop():
            connection = Connection(database, "models")
            store = PostgresModelStore(connection)
            await connection.run(
                lambda raw: raw.execute("TRUNCATE score_models, score_model_switches, score_model_drift")
            )
            ids, active = [await store.add(made_model()) for _ in range(3)], None
            for what, number, other in steps:
                if what == "on":
                    await store.switch(ids[number], by="a", reason="")
                    active = ids[number]
                elif what == "off":
                    await store.switch(None, by="a", reason="")
                    active = None
                else:
                    done = await store.switch(None, by="a", reason="", only_from=ids[other])
                    assert (done is not None) == (active == ids[other])
                    active = None if done else active
                known, document = await store.active(ids[number])
                assert known == active
                assert (document is None) == (active in (None, ids[number]))
            await connection.aclose()

    trio.run(main)


async def test_activation_lists_every_reason_against_it(store):
    bad = await store.add(made_model(price=0.1, price_fit=0.2, days=3))
    with pytest.raises(RejectedError) as caught:
        await activate(store, bad, by="ann", reason="", score_file="scores.csv")
    for words in (FILE_GOES_FIRST, "3 days", "baseline price out", "baseline price_fit out"):
        assert words in str(caught.value)
    with pytest.raises(UnknownModelError):
        await activate(store, bad + 1, by="ann", reason="", score_file="")
    assert await store.switches(before=None, rows_max=5) == []


async def test_a_model_of_other_features_or_a_damaged_one_is_not_activated(store):
    older = await store.add(attrs.evolve(made_model(), feature_version=2))
    with pytest.raises(RejectedError, match="features of version 2"):
        await activate(store, older, by="ann", reason="", score_file="")
    document = made_model().document.replace('"format":1', '"format":3')
    damaged = await store.add(attrs.evolve(made_model(), document=document))
    with pytest.raises(RejectedError, match="format 3"):
        await activate(store, damaged, by="ann", reason="", score_file="")
    with pytest.raises(RejectedError, match="no model is active"):
        await deactivate(store, by="ann", reason="")


async def test_a_running_desk_follows_what_is_switched_within_seconds(store):
    good = await store.add(made_model())
    desk = ModelDesk(store=store, rng=Random(1))

    async def until(kind):
        with trio.fail_after(POLL_MAX_S):
            while not isinstance(desk.at_hand(BUY), kind):
                await trio.sleep(0.05)

    async with trio.open_nursery() as nursery:
        await nursery.start(desk.run)
        assert await desk.score(BUY) == Absent(reason="no_scorer")
        await activate(store, good, by="ann", reason="", score_file="")
        await until(Present)
        assert desk.active_id == good
        await deactivate(store, by="ann", reason="")
        await until(Absent)
        nursery.cancel_scope.cancel()


async def test_a_job_that_lost_its_lease_keeps_nothing(store, connection):
    running = await lease_of(connection)
    lost = attrs.evolve(running.lease, epoch=running.lease.epoch + 1)
    model_id = await store.add(made_model())
    await store.switch(model_id, by="ann", reason="")
    with pytest.raises(FencedError):
        await store.add_under(lost, made_model())
    with pytest.raises(FencedError):
        await store.keep_drift_under(lost, model_id, made_drift(), deactivate_as="model-watch")
    assert len(await store.models(before=None, rows_max=5)) == 1
    assert (await store.drift([model_id]), (await store.active(None))[0]) == ({}, model_id)


@attrs.define
class Work:
    """The work, without a process."""

    drift: object = None
    looked: int = 0

    async def train(self):
        return [made_model(), made_model()]

    async def look(self, model_id):
        self.looked += 1
        return self.drift


async def test_training_keeps_its_models_and_activates_none(store, connection):
    running = await lease_of(connection)
    await TrainModel(store=store, work=Work()).run(running)
    assert running.figures["models"] == 2
    assert (await store.active(None))[0] is None
    with pytest.raises(RejectedError, match="in an engine only"):
        await TrainModel(store=store, work=None).run(running)


@pytest.mark.parametrize(("wanted", "drifted"), [(True, True), (True, False), (False, True)])
async def test_a_model_that_drifted_is_deactivated_where_that_is_wanted(store, connection, wanted, drifted):
    running, work = await lease_of(connection, "model-watch"), Work(made_drift(drifted=drifted))
    job = ModelWatch(store=store, work=work, config=ModelsConfig(drift_deactivates=wanted))
    await job.run(running)
    assert (running.figures, work.looked) == ({"note": "no model is active"}, 0)
    model_id = await store.add(made_model())
    await store.switch(model_id, by="ann", reason="")
    await job.run(running)
    gone = wanted and drifted
    assert running.figures["deactivated"] is gone
    assert (await store.active(None))[0] == (None if gone else model_id)
    assert (await store.drift([model_id]))[model_id].figures == made_drift(drifted=drifted)
    if gone:
        [last, _] = await store.switches(before=None, rows_max=5)
        assert (last.by, last.reason) == ("model-watch", "drifted: worse than the price")


async def test_too_little_to_say_leaves_the_last_look(store, connection):
    running, work = await lease_of(connection, "model-watch"), Work(None)
    await store.switch(await store.add(made_model()), by="ann", reason="")
    await ModelWatch(store=store, work=work, config=ModelsConfig()).run(running)
    assert "too few" in running.figures["note"]


async def test_a_document_beyond_its_bound_is_not_kept(store):
    with pytest.raises(Exception, match="document_check"):
        await store.add(attrs.evolve(made_model(), document=made_model().document + " " * (2 << 20)))
