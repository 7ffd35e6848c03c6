"""Notifications over HTTP: what one wants, what one was told, a test that goes the real way."""

import json

import pytest
import trio
from engine_adapters.webhook_server import webhook_server
from engine_api.api_server import TOKEN, error_of, gate_of, principal, serving_routes
from engine_postgres.notice_world import notice_world

from actors.notifier import Notifier
from config.secrets import Secret
from engine.adapters.notify_sender import NotifyProcess
from engine.adapters.postgres.notification_user_store import CHANGES_PER_HOUR, TESTS_PER_HOUR, NotificationUserStore
from engine.adapters.system_clock import SystemClock
from engine.api.notification_routes import notification_routes
from engine.api.openapi import openapi_document
from protocols.clock import Random
from protocols.notifications import ChannelRule
from protocols.users import Scope

PATH = "/api/notifications"
ANN = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
async def world(database, aio):
    async with notice_world(database) as one:
        await one.live.fetch("INSERT INTO profiles (id, user_name) VALUES ($1::text::uuid, 'ann')", ANN)
        yield one


@pytest.fixture
async def api(world):
    routes = notification_routes(NotificationUserStore(world.live.connection), lambda: None)
    described = json.loads(openapi_document(routes))["paths"]
    assert sum(len(methods) for methods in described.values()) == len(routes)
    bearers = {TOKEN: principal(Scope.READ), "trader": principal(Scope.TRADE, token_id="t2")}
    async with serving_routes(*routes, gate=gate_of(bearers)) as client:
        yield client


async def test_one_who_never_said_anything_wants_everything_at_any_hour(api):
    said = (await api.get(PATH + "/preferences")).json()
    assert {value for value in said.values() if isinstance(value, bool)} == {True}
    assert (said["quietFrom"], said["timezone"], said["defaultSellSlippage"]) == (None, "UTC", 3)
    assert error_of(await api.get(PATH + "/preferences", token="trader"))[:2] == (403, "forbidden")


async def test_what_is_given_is_changed_and_the_rest_stays(api):
    changes = {"drift": False, "quietFrom": "22:00", "quietTo": "07:30", "timezone": "Europe/Berlin"}
    said = (await api.ask("PUT", PATH + "/preferences", json=changes)).json()
    assert {name: said[name] for name in changes} == changes
    said = (await api.ask("PUT", PATH + "/preferences", json={"defaultBuySlippage": 1.25})).json()
    assert (said["drift"], said["quietTo"], said["defaultBuySlippage"]) == (False, "07:30", 1.25)
    said = (await api.ask("PUT", PATH + "/preferences", json={"quietFrom": None, "quietTo": None})).json()
    assert (said["quietFrom"], said["quietTo"]) == (None, None)
    assert (await api.get(PATH + "/preferences")).json() == said


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"quietFrom": "22:00"}, "quietFrom"),
        ({"quietFrom": "22:00", "quietTo": None}, "quietTo"),
        ({"quietFrom": "22:00", "quietTo": "22:00"}, "quietTo"),
        ({"quietFrom": "25:00", "quietTo": "07:00"}, "quietFrom"),
        ({"timezone": "No/Where"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"defaultSellSlippage": 101}, "defaultSellSlippage"),
        ({"defaultSellSlippage": None}, "defaultSellSlippage"),
        ({"drift": "no"}, "drift"),
        ({"email": "x@example.org"}, "email"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused_by_name_and_changes_nothing(api, changes, field):
    before = (await api.get(PATH + "/preferences")).json()
    status, _, named = error_of(await api.ask("PUT", PATH + "/preferences", json=changes))
    assert status == 400
    assert named == field
    assert (await api.get(PATH + "/preferences")).json() == before


async def test_changes_are_limited_by_the_hour(api):
    for _ in range(CHANGES_PER_HOUR):
        assert (await api.ask("PUT", PATH + "/preferences", json={"drift": True})).status_code == 200
    refused = await api.ask("PUT", PATH + "/preferences", json={"drift": False})
    assert error_of(refused)[:2] == (429, "too_many_requests")
    assert int(refused.headers["retry-after"]) > 0


async def test_notices_are_ones_own_in_pages_and_say_how_they_stand(api, world):
    bob = await world.user("bob")
    await world.notice(bob, key="theirs")
    mine = [await world.notice(ANN, key=str(n), market=f"market {n}", side="BUY", status="FILLED") for n in range(5)]
    await world.outbox.route([ChannelRule(name="ops")], window_s=0, notices_max=2)
    found, before = [], ""
    while True:
        page = (await api.get(f"{PATH}?limit=2{before}")).json()
        found += page["notifications"]
        if page["nextBefore"] is None:
            break
        before = f"&before={page['nextBefore']}"
    assert [one["notificationId"] for one in found] == sorted(mine, reverse=True)
    assert (found[-1]["headline"], found[-1]["details"]) == ("Bought: market 0", {"Order": "BUY"})
    [delivery] = found[-1]["deliveries"]
    assert (delivery["channel"], delivery["status"], delivery["attempts"], delivery["sentAt"]) == (
        "ops",
        "pending",
        0,
        None,
    )
    assert found[0]["deliveries"] == []


async def answer_of_a_test(world, api, channels, urls):
    """The answer of a test while a notifier runs."""
    notifier = Notifier(
        store=world.outbox, sender=NotifyProcess(urls=urls, timeout_s=20), channels=channels, clock=SystemClock(),
        rng=Random(1), lease_s=40, window_s=20, poll_s=0.1,
    )  # fmt: skip
    async with trio.open_nursery() as nursery:
        await nursery.start(notifier.run)
        answer = (await api.ask("POST", PATH + "/test", timeout=30)).json()
        nursery.cancel_scope.cancel()
    return answer


async def test_a_test_goes_the_real_way_and_says_what_became_of_it(api, world):
    async with webhook_server() as up, webhook_server(status=403) as down:
        urls = {"up": Secret(f"json://127.0.0.1:{up.port}/a"), "down": Secret(f"json://127.0.0.1:{down.port}/b")}
        await world.live.fetch(
            "INSERT INTO notification_preferences (user_id, quiet_from, quiet_to) VALUES ($1::text::uuid, '00:00', '23:59')",
            ANN,
        )
        answer = await answer_of_a_test(world, api, [ChannelRule(name="up"), ChannelRule(name="down")], urls)
        [body] = up.bodies
    assert answer["isOver"]
    assert [(one["channel"], one["status"], one["error"]) for one in answer["deliveries"]] == [
        ("down", "failed", "the channel answered HTTP 403"),
        ("up", "sent", None),
    ]
    assert body["title"] == "[Polycopy] ann: This is a test"


async def test_a_test_without_a_channel_says_so_at_once(api, world):
    answer = await answer_of_a_test(world, api, [], {})
    assert (answer["isOver"], answer["deliveries"]) == (True, [])


async def test_tests_are_limited_by_the_hour(api, world):
    for n in range(TESTS_PER_HOUR):
        await world.notice(ANN, "test", key=str(n))
    assert error_of(await api.ask("POST", PATH + "/test"))[:2] == (429, "too_many_requests")
