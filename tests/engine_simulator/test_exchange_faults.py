"""What goes wrong on the way of an order, on demand."""

import pytest
from exchange_world import ExchangeWorld

from engine.simulator.exchange.deliveries import DeliveryDesk
from engine.simulator.exchange.order_faults import OrderFaultError, OrderFaults
from engine.simulator.seeds import generator


def delivered(kind, **parameters):
    world = ExchangeWorld()
    wallet = world.wallet("one")
    world.exchange.faults.add(kind, parameters, count=1)
    desk = DeliveryDesk(world.api, world.exchange.faults)
    request = wallet.request("POST", "/order", world.body(wallet, "BUY", "0.40", "20"))
    return world, desk, request, desk.send(request, world.now_ms)


def test_an_answer_can_get_lost_after_the_order_was_accepted():
    world, desk, request, delivery = delivered("answer_lost", how="hang")
    assert (delivery.lost, len(world.exchange.orders)) == ("hang", 1)
    assert "Duplicated" in desk.send(request, world.now_ms).handling.reply().body["error"]
    assert list(world.exchange.orders.posts.values()) == [2]


def test_an_order_can_be_accepted_after_its_connection_has_died():
    world, _, _, delivery = delivered("accepted_late", after_ms=700)
    assert (delivery.lost, delivery.handling, len(world.exchange.orders)) == ("close", None, 0)
    world.advance(699)
    assert len(world.exchange.orders) == 0
    world.advance(1)
    assert len(world.exchange.orders) == 1


def test_a_gateway_can_fail_before_and_after_the_order_was_accepted():
    world, _, _, delivery = delivered("error_before", status=503)
    assert (delivery.error_status, len(world.exchange.orders)) == (503, 0)
    world, _, _, delivery = delivered("error_after", html=False)
    assert (delivery.error_status, delivery.html, len(world.exchange.orders)) == (502, False, 1)


def test_status_endpoints_can_be_slow_wrong_and_forgetful():
    world = ExchangeWorld()
    wallet = world.wallet("one")
    order_id = world.post(wallet, "BUY", "0.40", "20").body["orderID"]
    desk = DeliveryDesk(world.api, world.exchange.faults)

    def ask():
        return desk.send(wallet.request("GET", f"/data/order/{order_id}"), world.now_ms)

    world.exchange.faults.add("status_slow", {"delay_ms": 900}, count=1)
    assert (ask().delay_ms, ask().delay_ms) == (900, 0)
    world.exchange.faults.add("status_error", {"status": 500}, count=1)
    assert (ask().error_status, ask().error_status) == (500, None)
    world.exchange.faults.add("order_forgotten")
    assert ask().handling.reply().status == 200
    world.call(wallet.request("DELETE", "/cancel-all"))
    assert ask().handling.reply().status == 404


def test_faults_happen_by_chance_as_the_seed_says_or_so_many_times():
    def happened(seed):
        faults = OrderFaults(rng=generator(seed, "faults"))
        faults.add("socket_duplicate", probability=0.3)
        return [faults.take("socket_duplicate") is not None for _ in range(1_000)]

    assert happened(1) == happened(1) != happened(2)
    assert 230 < sum(happened(1)) < 370
    faults = OrderFaults(rng=generator(1, "faults"))
    faults.add("answer_lost", count=2)
    assert [faults.take("answer_lost") is not None for _ in range(3)] == [True, True, False]
    assert faults.describe() == []


@pytest.mark.parametrize(
    ("kind", "parameters", "more"),
    [
        ("no such", {}, {}),
        ("answer_lost", {"delay_ms": 1}, {}),
        ("answer_lost", {"how": "gently"}, {}),
        ("answer_lost", {}, {"count": 0}),
        ("answer_lost", {}, {"count": True}),
        ("answer_lost", {}, {"probability": 1.1}),
        ("status_slow", {"delay_ms": -1}, {}),
        ("status_slow", {"delay_ms": "1"}, {}),
    ],
)
def test_faults_that_make_no_sense_are_refused(kind, parameters, more):
    with pytest.raises(OrderFaultError):
        OrderFaults(rng=generator(1, "faults")).add(kind, parameters, **more)
