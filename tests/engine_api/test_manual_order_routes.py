"""Orders by hand over HTTP: what is refused before it reaches the desk, and how each of its answers is told."""

import json
from decimal import Decimal

import attrs
import pytest
from engine_api.api_server import TOKEN, error_of, gate_of, principal, serving_routes

from engine.api.manual_order_routes import manual_order_routes
from engine.api.openapi import openapi_document
from protocols.errors import RejectedError, TransientError
from protocols.live.operating import IntentConflictError, OrderView
from protocols.users import Scope

PATH = "/api/polymarket/orders"
BOB = attrs.evolve(principal(*Scope, token_id="t3"), user_id="00000000-0000-4000-8000-000000000002", user_name="bob")
BEARERS = {TOKEN: principal(Scope.READ, Scope.TRADE), "reader": principal(Scope.READ, token_id="t2"), "bob": BOB}
WANTED = {
    "orderIntentId": "intent-0001", "account": "main", "conditionId": "0x" + "a" * 64, "tokenId": "123", "side": "BUY",
    "price": 0.3, "amount": "10.5", "confirm": True,
}  # fmt: skip


@attrs.define
class Desk:
    """Keeps what reached it, one order a key."""

    by_key: dict = attrs.field(factory=dict)
    canceled: list = attrs.field(factory=list)
    tried: list = attrs.field(factory=list)
    is_known: bool = True
    failure: Exception | None = None

    async def place(self, order, user_id):
        if self.failure is not None:
            raise self.failure
        kept, view = self.by_key.setdefault((user_id, order.intent_id), (order, self._view(len(self.by_key))))
        if kept != order:
            raise IntentConflictError(order.intent_id)
        return view

    async def dry_run(self, order):
        self.tried.append(order)
        return self._view(9)

    async def get(self, order_id):
        found = [(order.account, view) for order, view in self.by_key.values() if view.order_id == order_id]
        return found[0] if found else None

    async def cancel(self, order_ids):
        self.canceled += order_ids
        return {}

    def spendable(self, account):
        return Decimal("7.5")

    async def working(self, account):
        return [view for order, view in self.by_key.values() if order.account == account]

    def _view(self, number):
        return OrderView(order_id=f"{number:08x}-0000-4000-8000-000000000000", status="PLACED", ended=False,
                         is_known=self.is_known, size_shares=Decimal("10.5"))  # fmt: skip


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
async def api(desk):
    routes = manual_order_routes(lambda: desk, {"main": "ann", "bobs": "bob"})
    async with serving_routes(*routes, gate=gate_of(BEARERS)) as client:
        yield client


async def post(api, path, body, token=TOKEN):
    return await api.ask("POST", PATH + path, token=token, json=body)


async def test_an_order_reaches_the_desk_exactly_as_it_was_written_and_once_for_its_key(api, desk):
    first, again = [await post(api, "/place", WANTED) for _ in range(2)]
    assert (first.status_code, first.json()) == (200, again.json())
    [(order, _)] = desk.by_key.values()
    assert (order.limit_price, order.shares, order.usd) == (Decimal("0.3"), Decimal("10.5"), None)
    other = await post(api, "/place", WANTED | {"amount": "11"})
    assert error_of(other) == (409, "intent_conflict", "orderIntentId")
    await post(api, "/place", WANTED | {"inputMode": "usd", "amount": 5, "orderIntentId": "intent-0002"})
    assert [(order.shares, order.usd) for order, _ in desk.by_key.values()][1] == (None, 5)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("price", {"price": 0}), ("price", {"price": "0.00009"}), ("price", {"price": "0.99991"}), ("price", {"price": 1}),
        ("price", {"price": "0.12345"}), ("price", {"price": "NaN"}), ("amount", {"amount": 0}), ("amount", {"amount": -1}),
        ("amount", {"amount": "1000000.01"}), ("amount", {"amount": "1.1234567"}), ("amount", {"amount": "Infinity"}),
        ("confirm", {"confirm": False}), ("inputMode", {"inputMode": "euros"}),
        ("expiresInS", {"orderType": "GTD"}), ("expiresInS", {"expiresInS": 600}),
        ("inputMode", {"inputMode": "usd", "side": "SELL"}),
    ],
)  # fmt: skip
async def test_what_cannot_be_an_order_never_reaches_the_desk(api, desk, field, change):
    refused = await post(api, "/place", WANTED | change)
    assert error_of(refused)[::2] == (400, field)
    assert not desk.by_key


@pytest.mark.parametrize("field", ["orderIntentId", "account", "price", "amount", "side", "tokenId", "conditionId"])
async def test_nothing_that_an_order_needs_is_guessed(api, desk, field):
    body = {name: value for name, value in WANTED.items() if name != field}
    assert error_of(await post(api, "/place", body))[0] == 400
    assert not desk.by_key


@pytest.mark.parametrize(
    ("field", "value"), [("price", "0.0001"), ("price", "0.9999"), ("amount", "0.01"), ("amount", 10**6)]
)
async def test_the_bounds_themselves_are_allowed(api, field, value):
    assert (await post(api, "/place", WANTED | {field: value})).status_code == 200


async def test_an_order_whose_fate_nobody_knows_is_no_plain_success(api, desk):
    desk.is_known = False
    sent = await post(api, "/place", WANTED)
    assert (sent.status_code, sent.json()["status"], sent.json()["isKnown"]) == (202, "unknown", False)
    assert sent.headers["content-type"] == "application/json"
    found = await api.get(f"{PATH}/{sent.json()['orderId']}/status")
    assert found.json() == sent.json()


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [(RejectedError("below the least size"), 422, "refused"), (TransientError("gone"), 503, "unavailable")],
)
async def test_what_the_desk_refuses_is_told_from_what_failed(api, desk, failure, status, code):
    desk.failure = failure
    assert error_of(await post(api, "/place", WANTED))[:2] == (status, code)


async def test_nobody_touches_orders_of_an_account_that_is_not_his_not_even_an_administrator(api, desk):
    order_id = (await post(api, "/place", WANTED)).json()["orderId"]
    assert error_of(await post(api, "/place", WANTED, "bob"))[:2] == (404, "unknown_account")
    assert error_of(await post(api, "/dry-run", WANTED, "bob"))[:2] == (404, "unknown_account")
    assert error_of(await post(api, "/cancel", {"orderId": order_id}, "bob"))[:2] == (404, "unknown_order")
    assert error_of(await post(api, "/cancel-all", {"account": "main"}, "bob"))[:2] == (404, "unknown_account")
    assert error_of(await api.get(f"{PATH}/open?account=main", token="bob"))[:2] == (404, "unknown_account")
    assert error_of(await api.get(f"{PATH}/{order_id}/status", token="bob"))[:2] == (404, "unknown_order")
    assert error_of(await post(api, "/place", WANTED, "reader"))[:2] == (403, "forbidden")
    assert (desk.canceled, desk.tried, len(desk.by_key)) == ([], [], 1)


async def test_orders_are_listed_and_cancelled_by_whom_they_belong_to(api, desk):
    ids = [(await post(api, "/place", WANTED | {"orderIntentId": f"intent-{n:04}"})).json()["orderId"] for n in (1, 2)]
    listed = (await api.get(f"{PATH}/open?account=main")).json()["orders"]
    assert [order["orderId"] for order in listed] == ids
    assert (await post(api, "/cancel", {"orderId": ids[1]})).json() == {"asked": 1, "refused": {}}
    assert (await post(api, "/cancel-all", {"account": "main"})).json() == {"asked": 2, "refused": {}}
    assert desk.canceled == [ids[1], *ids]


async def test_an_order_with_an_end_reaches_the_desk_with_it(api, desk):
    placed = await post(api, "/place", WANTED | {"orderType": "GTD", "expiresInS": 600})
    assert placed.status_code == 200
    [(order, _)] = desk.by_key.values()
    assert (order.order_type, order.expires_in_s) == ("GTD", 600)


async def test_a_dry_run_needs_no_yes_and_places_nothing(api, desk):
    assert (await post(api, "/dry-run", WANTED | {"confirm": False})).status_code == 200
    assert (len(desk.tried), desk.by_key) == (1, {})


async def test_an_engine_that_does_not_trade_live_says_so_and_is_described():
    routes = manual_order_routes(lambda: None, {"main": "ann"})
    async with serving_routes(*routes, gate=gate_of(BEARERS)) as api:
        assert error_of(await post(api, "/place", WANTED))[:2] == (503, "unavailable")
    described = json.loads(openapi_document(routes))["paths"]
    assert sum(len(methods) for methods in described.values()) == len(routes)
