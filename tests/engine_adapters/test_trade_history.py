import attrs
import httpx
import pytest
from engine_adapters.answering_lines import AnsweringLines

from engine.adapters.data_api import V1_FOR_MS
from engine.adapters.trade_history import DataApiHistory
from engine.adapters.upstream import Upstream
from engine.runtime.rate_limit import TokenBucket
from engine.runtime.traffic import Traffic
from protocols.errors import RejectedError, TransientError


@attrs.define
class SetClock:
    ms: int = 1_787_140_800_000

    def now_ms(self):
        return self.ms


@attrs.define(eq=False)
class Server:
    """Data API paths and how they answer now."""

    v2: int = 200
    v1: int = 200
    asked: list[str] = attrs.field(factory=list)
    clock: SetClock = attrs.field(factory=SetClock)
    history: DataApiHistory = attrs.field(init=False)

    def __attrs_post_init__(self):
        lines = AnsweringLines(self.answer)
        bucket = TokenBucket(rate_per_s=1e6, burst=1_000)
        api = Upstream(name="data", lines=lines, bucket=bucket, total_timeout_s=5, traffic=Traffic())
        self.history = DataApiHistory(api=api, clock=self.clock)

    def answer(self, request):
        version = "v2" if request.url.path == "/v2/trades" else "v1"
        self.asked.append(version)
        body = '{"data": [], "pagination": {"has_more": false}}' if version == "v2" else "[]"
        return httpx.Response(getattr(self, version), text=body)

    async def read(self):
        before = len(self.asked)
        await self.history.page(since_s=0, until_s=1, wallet=None, cursor=None)
        return self.asked[before:]


@pytest.mark.parametrize("gone", [404, 410])
async def test_where_v2_is_gone_v1_is_read_and_v2_tried_again_after_an_hour(gone):
    server = Server(v2=gone)
    assert await server.read() == ["v2", "v1"]
    assert await server.read() == ["v1"]
    server.clock.ms += V1_FOR_MS
    assert await server.read() == ["v2", "v1"]
    server.v2 = 200
    assert await server.read() == ["v1"]
    server.clock.ms += V1_FOR_MS
    assert await server.read() == ["v2"]
    assert await server.read() == ["v2"]


async def test_where_neither_is_there_it_is_tried_again_later():
    server = Server(v2=404, v1=404)
    with pytest.raises(TransientError, match="neither"):
        await server.read()
    assert server.asked == ["v2", "v1"]


@pytest.mark.parametrize(("status", "error"), [(400, RejectedError), (500, TransientError), (429, TransientError)])
async def test_other_refusals_of_v2_do_not_lead_to_v1(status, error):
    server = Server(v2=status)
    with pytest.raises(error):
        await server.read()
    assert server.asked == ["v2"]
