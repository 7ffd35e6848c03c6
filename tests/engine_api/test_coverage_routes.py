import msgspec
import pytest
from engine_postgres.audited_wallets import NOW_S, audits, miss, wallet, window

from engine.api.coverage_routes import coverage_routes
from engine.api.params import parsed
from engine.api.route import Call, Rate
from protocols.trades import Lane
from protocols.users import Principal, Scope

ADMIN = Principal(user_id="u", user_name="ann", token_id="t", scopes=frozenset({Scope.ADMIN}))


class Clock:
    def now_ms(self):
        return NOW_S * 1000


@pytest.fixture
async def opened(database, aio):
    async with audits(database) as pair:
        yield pair


@pytest.fixture
def ask(opened):
    routes = {route.path: route for route in coverage_routes(opened[0], Clock())}

    async def call(path, **given):
        route = routes[path]
        assert (route.scope, route.rate) == (Scope.ADMIN, Rate.ADMIN)
        params = parsed(route.params, {name: [str(value)] for name, value in given.items()})
        answer = await route.handler(Call(principal=ADMIN, params=params, body=None, headers={}))
        assert isinstance(answer, route.answer)
        return msgspec.json.decode(msgspec.json.encode(answer))

    return call


async def test_lanes_and_wallets_are_answered_in_pages(ask, opened):
    store, lease = opened
    await store.sync(lease, [(wallet(n), Lane.TARGET) for n in (1, 2, 3)], after="", at_end=True, now_s=NOW_S)
    await store.close_window(lease, window(), now_ms=NOW_S * 1000)
    await store.failed(lease, wallet(3), "502", now_ms=NOW_S * 1000)
    first = await ask("/api/admin/coverage", limit=2)
    [lane] = first["lanes"]
    assert (lane["lane"], lane["wallets"], lane["figures"]["ratio"], lane["figures"]["missed"]) == (0, 1, 0.8, 1)
    one, two = first["wallets"]
    assert (one["wallet"], one["figures"]["byStream"], one["figures"]["ratio"]) == (wallet(1), 8, 0.8)
    assert (two["figures"]["ratio"], two["triedAt"]) == (None, None)
    rest = await ask("/api/admin/coverage", limit=2, cursor=first["nextCursor"])
    assert [(row["wallet"], row["failures"], row["lastError"]) for row in rest["wallets"]] == [(wallet(3), 1, "502")]
    assert rest["nextCursor"] is None


async def test_nothing_audited_is_no_full_coverage(ask):
    answer = await ask("/api/admin/coverage")
    assert answer == {"lanes": [], "wallets": [], "nextCursor": None}


async def test_misses_are_answered_newest_first_in_pages(ask, opened):
    store, lease = opened
    await store.keep_misses(lease, [miss(n) for n in range(3)])
    first = await ask("/api/admin/coverage/misses", limit=2, which="open")
    rest = await ask("/api/admin/coverage/misses", limit=2, before=first["nextBefore"], wallet=wallet(1))
    assert [row["tradeId"] for row in (*first["misses"], *rest["misses"])] == [miss(n).trade_id for n in (2, 1, 0)]
    assert (rest["nextBefore"], rest["misses"][0]["recordedAt"], rest["misses"][0]["source"]) == (None, None, "trades")
    assert (await ask("/api/admin/coverage/misses", wallet=wallet(2)))["misses"] == []
