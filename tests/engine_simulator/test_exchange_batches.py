"""Several orders in one request."""

from exchange_world import ExchangeWorld


def sent(world, wallet, raw):
    return world.call(wallet.request("POST", "/orders", raw))


def test_a_batch_has_an_entry_for_each_order_and_a_refused_one_has_no_id():
    world = ExchangeWorld()
    wallet = world.wallet("one", usd=10)
    bodies = [world.body(wallet, "BUY", "0.50", size) for size in ("10", "2", "30")]
    reply = sent(world, wallet, b"[" + b",".join(bodies) + b"]")
    assert reply.status == 200
    assert [bool(each["orderID"]) for each in reply.body] == [True, False, False]
    assert "lower than the minimum" in reply.body[1]["errorMsg"]
    assert reply.body[2]["errorMsg"] == "not enough balance / allowance"
    assert all(each["success"] for each in reply.body)


def test_a_batch_costs_its_number_of_orders_and_is_admitted_whole_or_not_at_all():
    world = ExchangeWorld()
    wallet = world.wallet("one")
    for _ in range(4):
        raw = b"[" + b",".join(world.body(wallet, "BUY", "0.01", "5") for _ in range(14)) + b"]"
        assert sent(world, wallet, raw).status == 200
    raw = b"[" + b",".join(world.body(wallet, "BUY", "0.01", "5") for _ in range(5)) + b"]"
    reply = sent(world, wallet, raw)
    assert reply.status == 429
    assert reply.headers["Poly-RateLimit-Remaining"] == "4"
    assert reply.headers["Poly-RateLimit-Tier"] == "standard"
    world.advance(25)
    assert sent(world, wallet, raw).headers["Poly-RateLimit-Remaining"] == "0"
