from types import SimpleNamespace

import pytest

from config.cluster import roles_of
from config.loader import ConfigError, load_config
from engine.edges import leaving
from engine.roles import EVERY_PART, parts_of, share_of, share_of_shards, working
from protocols.cluster import EVERY_ROLE, ClusterView, MemberReport, Role

INGESTING = {Role.INGEST, Role.DECIDE, Role.EXECUTE}


def loaded(roles):
    return load_config(environ={}, overrides={"cluster.roles": roles}).cluster


@pytest.mark.parametrize(
    ("words", "roles"),
    [
        ("all", EVERY_ROLE),
        ("api", {Role.API}),
        (" Jobs ,api,", {Role.JOBS, Role.API}),
        ("ingest, decide, execute", INGESTING),
        ("api, all", EVERY_ROLE),
        ("ingest, decide, execute, poll", INGESTING | {Role.POLL}),
        ("ingest, decide", {Role.INGEST, Role.DECIDE}),
        ("execute", {Role.EXECUTE}),
        ("poll", {Role.POLL}),
        ("decide, execute, poll", {Role.DECIDE, Role.EXECUTE, Role.POLL}),
    ],
)
def test_roles_are_words_separated_by_commas(words, roles):
    assert roles_of(loaded(words).roles) == roles


def test_without_a_word_an_engine_does_everything():
    assert roles_of(load_config(environ={}).cluster.roles) == EVERY_ROLE
    assert roles_of(load_config(environ={"POLYCOPY_CLUSTER__ROLES": "api"}).cluster.roles) == {Role.API}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "allowed: one or more of all, ingest, decide, execute, poll, jobs, api"),
        ("apis", "allowed: one or more of all"),
        ("ingest, execute", "execute goes with ingest and decide, or without ingest; give it a process of its own"),
    ],
)
def test_what_cannot_run_is_refused_with_a_sentence(words, sentence):
    with pytest.raises(ConfigError) as caught:
        loaded(words)
    [problem] = caught.value.problems
    assert problem.startswith("cluster.roles: ")
    assert sentence in problem


def test_one_function_says_what_a_set_of_roles_starts():
    api, jobs = parts_of(frozenset({Role.API})), parts_of(frozenset({Role.JOBS}))
    assert (api.ingest, api.polls_apart, api.any_job, api.notices, api.api) == (False, False, False, False, True)
    assert (jobs.ingest, jobs.jobs, jobs.jobs_that_need_ingest, jobs.notices, jobs.api) == (
        False,
        True,
        False,
        True,
        False,
    )
    ingest = parts_of(frozenset(INGESTING))
    assert (ingest.ingest, ingest.polls_within, ingest.jobs, ingest.jobs_that_need_ingest) == (True, False, False, True)
    assert (ingest.trades_within, ingest.trades_apart) == (True, False)
    deciding, trading = parts_of(frozenset({Role.INGEST, Role.DECIDE})), parts_of(frozenset({Role.EXECUTE, Role.API}))
    assert (deciding.trades_within, deciding.trades_apart) == (False, False)
    assert (trading.ingest, trading.trades_within, trading.trades_apart) == (False, False, True)
    assert (deciding.decides_within, deciding.decides_apart) == (True, False)
    ingesting, decider = parts_of(frozenset({Role.INGEST, Role.POLL})), parts_of(frozenset({Role.DECIDE}))
    assert (ingesting.ingest, ingesting.decides_within, ingesting.decides_apart) == (True, False, False)
    assert (decider.ingest, decider.decides_apart, decider.jobs_that_need_ingest) == (False, True, True)
    poller = parts_of(frozenset({Role.POLL}))
    assert (ingesting.polls_within, ingesting.polls_apart) == (True, False)
    assert (poller.polls_within, poller.polls_apart, poller.jobs_that_need_ingest) == (False, True, True)
    assert all(
        getattr(EVERY_PART, name)
        for name in ("ingest", "polls_within", "jobs", "jobs_that_need_ingest", "notices", "api")
    )


@pytest.mark.parametrize(
    ("roles", "parts", "edges"),
    [
        ("all", (True, True, True), {"lanes", "feed_events"}),
        ("ingest, decide", (True, True, False), {"lanes", "feed_events"}),
        ("api", (False, False, True), {"feed_events"}),
        ("execute, api", (False, False, True), {"feed_events"}),
        ("execute, jobs", (False, False, False), set()),
    ],
)
def test_an_edge_leaves_engines_whose_roles_use_it(roles, parts, edges):
    started = parts_of(roles_of(roles))
    assert (started.lanes, started.tells_feeds, started.hears_commits) == parts
    over_redis = {f"channels.{name}.transport": "redis" for name in ("lanes", "feed_events")}
    config = load_config(environ={"POLYCOPY_REDIS__URL": "redis://localhost:6379/0"}, overrides=over_redis)
    assert leaving(config, started) == edges
    assert leaving(load_config(environ={}), started) == set()


def test_a_standby_does_not_work_at_what_needs_the_lease():
    assert working(EVERY_ROLE, ingests=False, serves=True) == {Role.JOBS, Role.API}
    assert working(EVERY_ROLE, ingests=True, serves=True) == EVERY_ROLE
    assert working(frozenset(INGESTING), ingests=True, serves=True) == INGESTING
    assert working(frozenset({Role.EXECUTE, Role.API}), ingests=False, serves=True, apart={Role.EXECUTE}) == {
        Role.EXECUTE,
        Role.API,
    }
    assert working(frozenset({Role.API}), ingests=False, serves=False) == frozenset()


@pytest.mark.parametrize(("traders", "share"), [(0, 5), (1, 5), (2, 3), (3, 2), (5, 1), (9, 1)])
def test_accounts_are_shared_evenly_by_those_who_trade_apart(traders, share):
    trading = frozenset({Role.EXECUTE})
    members = [member(number, trading, trading) for number in range(traders)]
    # One that trades within its ingest, and one that has not begun, take no part.
    members += [member(90, frozenset(INGESTING), frozenset(INGESTING)), member(91, trading, frozenset())]
    assert share_of(5, Role.EXECUTE, ClusterView(member_id="0", members=members)) == share
    assert share_of(0, Role.EXECUTE, ClusterView(member_id="0", members=members)) == 0


@pytest.mark.parametrize(("deciders", "share"), [(1, 8), (2, 4), (3, 3), (20, 1)])
def test_shards_are_shared_by_those_who_decide_apart_unless_somebody_decides_for_all(deciders, share):
    deciding = frozenset({Role.DECIDE})
    members = [member(number, deciding, deciding) for number in range(deciders)]
    ingesting = frozenset({Role.INGEST, Role.POLL})
    members += [member(90, ingesting, ingesting), member(91, frozenset(INGESTING), frozenset({Role.JOBS}))]
    assert share_of_shards(8, ClusterView(member_id="0", members=members)) == share
    members.append(member(92, frozenset(INGESTING), frozenset(INGESTING)))
    assert share_of_shards(8, ClusterView(member_id="0", members=members)) == 0


def member(number, roles, now):
    report = MemberReport(member_id=str(number), holder="h", roles=roles, working=now, version="1", address="")
    return SimpleNamespace(report=report)
