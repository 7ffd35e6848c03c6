"""What traders hold, and what markets paid, by the Data API."""

import json
from collections import Counter
from decimal import Decimal

import attrs
import httpx
import pytest
from engine_adapters.answering_lines import AnsweringLines
from engine_simulator.simulator_clients import row, running

from config.schema import VenueConfig
from engine.adapters.data_api import V1_FOR_MS
from engine.adapters.resolutions import DataApiResolutions
from engine.adapters.system_clock import SystemClock
from engine.adapters.trader_holdings import DataApiHoldings
from engine.adapters.upstream import Upstream, open_upstream
from engine.runtime.rate_limit import TokenBucket
from engine.runtime.traffic import Traffic
from protocols.errors import RejectedError, TransientError

WALLET, MARKET = "0x" + "a" * 40, "0x" + "1" * 64


@attrs.define
class SetClock:
    ms: int = 1_787_140_800_000

    def now_ms(self):
        return self.ms


@attrs.define(eq=False)
class Server:
    """Answers by path: a list of bodies, the last one for ever; or a status."""

    bodies: dict[str, list[object]] = attrs.field(factory=dict)
    statuses: dict[str, int] = attrs.field(factory=dict)
    asked: list[httpx.URL] = attrs.field(factory=list)
    clock: SetClock = attrs.field(factory=SetClock)

    def upstream(self):
        lines = AnsweringLines(self.answer)
        bucket = TokenBucket(rate_per_s=1e6, burst=1_000)
        return Upstream(name="data", lines=lines, bucket=bucket, total_timeout_s=5, traffic=Traffic())

    def holdings(self):
        return DataApiHoldings(api=self.upstream(), clock=self.clock)

    def answer(self, request):
        self.asked.append(request.url)
        path = request.url.path
        bodies = self.bodies.get(path, [[]])
        body = bodies.pop(0) if len(bodies) > 1 else bodies[0]
        return httpx.Response(self.statuses.get(path, 200), text=body if isinstance(body, str) else json.dumps(body))


def page(rows, cursor=None):
    return {"data": rows, "pagination": {"has_more": cursor is not None, "next_cursor": cursor}}


async def test_a_holding_is_found_on_whatever_page_it_is_and_every_address_is_new():
    other = {"token_id": "9", "current_size": 5.0}
    server = Server({"/v2/positions": [page([other], "c1"), page([{"token_id": "7", "current_size": 12.345678}])]})
    holdings = server.holdings()
    assert await holdings.holding_micro(WALLET, MARKET, "7") == 12_345_678
    assert await holdings.holding_micro(WALLET, MARKET, "8") == 0
    assert [url.params.get("cursor") for url in server.asked] == [None, "c1", None]
    assert {url.params["condition_id"] for url in server.asked} == {MARKET}
    assert len({str(url) for url in server.asked}) == 3


@pytest.mark.parametrize("gone", [404, 410])
async def test_where_v2_is_gone_v1_answers_for_an_hour(gone):
    rows = [{"asset": "7", "size": 3.5, "conditionId": MARKET}]
    server = Server({"/positions": [rows], "/value": [[{"user": WALLET, "value": 12.5}]]})
    server.statuses = {"/v2/positions": gone, "/v2/value": gone}
    holdings = server.holdings()
    assert await holdings.holding_micro(WALLET, MARKET, "7") == 3_500_000
    assert await holdings.portfolio_usd(WALLET) == Decimal("12.5")
    assert [url.path for url in server.asked] == ["/v2/positions", "/positions", "/value"]
    assert server.asked[1].params["sizeThreshold"] == "0"
    server.clock.ms += V1_FOR_MS
    server.statuses.clear()
    server.bodies["/v2/value"] = [{"data": {"proxy_wallet": WALLET, "value": 1.25}}]
    assert await holdings.portfolio_usd(WALLET) == Decimal("1.25")


@pytest.mark.parametrize(
    "body",
    ["<html>", page([{"token_id": "7", "current_size": "much"}]), page([{"current_size": 1}]), page([7]), {"data": 7}],
)
async def test_an_answer_that_makes_no_sense_is_no_holding(body):
    with pytest.raises(TransientError):
        await Server({"/v2/positions": [body]}).holdings().holding_micro(WALLET, MARKET, "7")


@pytest.mark.parametrize("body", ["[", {"data": {"value": "NaN"}}, {"data": [{"value": None}]}])
async def test_a_value_that_makes_no_sense_is_none(body):
    with pytest.raises(TransientError):
        await Server({"/v2/value": [body]}).holdings().portfolio_usd(WALLET)


async def test_resolutions_are_asked_for_twenty_at_a_time_and_their_absence_is_told():
    ids = [f"0x{number:064x}" for number in range(45)]
    rows = [
        {"condition_id": ids[3], "status": "resolved", "payouts": [0, 1_000_000]},
        {"condition_id": ids[4], "status": "posed"},
    ]
    server = Server({"/v2/resolutions": [page(rows)]})
    resolutions = DataApiResolutions(api=server.upstream(), clock=server.clock)
    assert await resolutions.payouts(ids) == {ids[3]: (0, 1_000_000)}
    assert [len(url.params["condition_id"].split(",")) for url in server.asked] == [20, 20, 5]
    server.statuses["/v2/resolutions"] = 404
    with pytest.raises(RejectedError):
        await resolutions.payouts(ids)


async def test_the_simulated_venue_says_what_a_trader_holds_and_what_it_is_worth():
    async with running() as venue:
        market = (await venue.gamma("/markets", {"limit": 1})).json()[0]
        token = json.loads(market["clobTokenIds"])[1]
        await venue.emit(row(asset=token, conditionId=market["conditionId"], size=7.25, price=0.4))
        venue_config, counts = VenueConfig(), Counter()
        async with open_upstream(
            "data", venue.urls.data_url, venue_config, rate_per_s=1e6, traffic=Traffic(counts)
        ) as api:
            holdings = DataApiHoldings(api=api, clock=SystemClock())
            wallet = row()["proxyWallet"]
            assert await holdings.holding_micro(wallet, market["conditionId"], token) == 7_250_000
            assert await holdings.portfolio_usd(wallet) == Decimal("2.9")
            assert await holdings.portfolio_usd(WALLET) == 0
