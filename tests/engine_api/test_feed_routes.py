import json

import msgspec
import pytest
from property.fake_feed import feed_row

from actors.rules.feed_cursor import cursor_text, position_in
from config.jobs import RetentionConfig
from engine.api.errors import ApiError
from engine.api.feed_routes import feed_routes
from engine.api.feed_search import FeedSearch
from engine.api.feed_stream import EventStream
from engine.api.follow_routes import WalletList, follow_routes
from engine.api.params import parsed
from engine.api.route import Call
from protocols.feed import FeedPage, FeedPosition
from protocols.users import Principal, Scope

NOW_MS = 1_780_000_000_000
DAY_MS = 86_400_000
ME = Principal(user_id="me", user_name="me", token_id="t", scopes=frozenset({Scope.READ}))
NAMES = ("tradeId", "traderWallet", "traderName", "traderImage", "transactionHash", "asset", "conditionId", "side", "price",
         "size", "timestamp", "outcome", "title", "slug", "eventSlug", "outcomePrices", "image")  # fmt: skip
POSITION = FeedPosition(trade_us=1_779_999_999_123_456, trade_id="abc-0")


class Clock:
    def now_ms(self):
        return NOW_MS


class Pages:
    def __init__(self, *rows, following=None, followed=True):
        self.answer = FeedPage(rows=rows, next=following, followed=followed)
        self.asked = []

    async def page(self, query):
        self.asked.append(query)
        return self.answer


class Subscriptions:
    def __init__(self):
        self.asked = []

    async def subscribe(self, user_id, after):
        self.asked.append((user_id, after))
        return self

    async def chunk(self):
        return b": nothing\n\n"


async def ask(pages, route=0, headers=None, streams=None, **given):
    search = FeedSearch(store=pages, facts=None, markets=None, signals=None, clock=Clock())
    routes = feed_routes(search, streams or Subscriptions(), RetentionConfig())
    params = parsed(routes[route].params, {name: [value] for name, value in given.items()})
    return await routes[route].handler(Call(principal=ME, params=params, body=None, headers=headers or {}))


async def test_a_page_on_the_wire():
    answer = await ask(Pages(feed_row(1, 1), following=POSITION))
    document = json.loads(msgspec.json.Encoder(decimal_format="number").encode(answer))
    assert tuple(document["trades"][0]) == NAMES
    assert position_in(document["nextCursor"]) == POSITION
    assert json.loads(msgspec.json.encode(await ask(Pages()))) == {"trades": [], "nextCursor": None}


async def test_without_parameters_it_is_fifty_trades_of_seven_days():
    pages = Pages()
    await ask(pages)
    [query] = pages.asked
    assert (query.user_id, query.limit, query.since_ms, query.before) == ("me", 50, NOW_MS - 7 * DAY_MS, None)
    assert (query.wallets, query.side, query.condition_id, query.is_copied) == ((), None, None, False)


async def test_all_parameters():
    pages = Pages()
    await ask(pages, limit="200", cursor=cursor_text(POSITION), since="1779900000", wallet="0x" + "AB" * 20, side="SELL",
              conditionId="0x" + "Ab" * 31)  # fmt: skip
    [query] = pages.asked
    assert (query.limit, query.before, query.since_ms, query.side) == (200, POSITION, 1_779_900_000_000, "SELL")
    assert (query.wallets, query.condition_id) == (("0x" + "ab" * 20,), "0x" + "ab" * 31 + "00")


@pytest.mark.parametrize(
    ("since", "expected_ms"),
    [
        ("0", NOW_MS - 180 * DAY_MS),
        ("1", NOW_MS - 180 * DAY_MS),
        ("1779999000000", 1_779_999_000_000),
        ("2026-05-27T20:26:40Z", 1_779_913_600_000),
        ("2026-05-27T22:26:40+02:00", 1_779_913_600_000),
        ("2026-05-27 20:26:40", 1_779_913_600_000),
        ("99999999999", 4_102_444_799_999),
    ],
)
async def test_since_widens_the_window_up_to_the_retention(since, expected_ms):
    pages = Pages()
    await ask(pages, since=since)
    assert pages.asked[0].since_ms == expected_ms


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"), ("limit", "201"), ("limit", "ten"), ("side", "buy"), ("wallet", "0x12"), ("conditionId", "0x"),
        ("since", "yesterday"), ("since", ""), ("since", "-1"), ("cursor", ""), ("cursor", "!"), ("cursor", "AAAA"),
        ("cursor", "x" * 700), ("cursor", cursor_text(POSITION) + "="), ("cursor", cursor_text(POSITION)[:-2]),
        ("cursor", "WzIsMSwiYSJd"), ("cursor", "WzEsMSwiXHUwMDAwIl0"), ("cursor", "WzEsLTEsImEiXQ"), ("nobody", "1"),
        ("category", "NBA"), ("live", "0"), ("held", "true"), ("usdMin", "-1"), ("usdMin", "1e9"), ("usdMin", "NaN"),
        ("priceMin", "1.01"), ("priceMax", "0.1234567"), ("scoreMin", "101"), ("endsWithinH", "0"), ("copied", "2"),
        ("strategy", "<b>"),
    ],
)  # fmt: skip
async def test_a_bad_parameter_is_named(name, value):
    pages = Pages()
    with pytest.raises(ApiError) as refusal:
        await ask(pages, **{name: value})
    assert (refusal.value.status, refusal.value.field, pages.asked) == (400, name, [])


async def test_a_wallet_has_to_be_followed():
    with pytest.raises(ApiError) as refusal:
        await ask(Pages(followed=False), wallet="0x" + "ab" * 20)
    assert (refusal.value.status, refusal.value.field) == (400, "wallet")
    assert (await ask(Pages(followed=False))).trades == ()


@pytest.mark.parametrize(
    ("after", "header", "expected"),
    [(None, None, None), ("7", None, 7), ("7", "9", 9), (None, "0", 0), ("7", "", 7)],
)
async def test_a_stream_resumes_where_its_client_was(after, header, expected):
    streams = Subscriptions()
    given = {} if after is None else {"after": after}
    headers = {} if header is None else {"last-event-id": header}
    assert isinstance(await ask(Pages(), 1, headers, streams, **given), EventStream)
    assert streams.asked == [("me", expected)]


@pytest.mark.parametrize("header", ["x", "-1", "1.5", "9" * 19, "1, 2"])
async def test_a_bad_last_event_id_is_named(header):
    with pytest.raises(ApiError) as refusal:
        await ask(Pages(), 1, {"last-event-id": header})
    assert (refusal.value.status, refusal.value.field) == (400, "Last-Event-ID")


class Follows:
    def __init__(self, *wallets):
        self.wallets = wallets
        self.changes = []

    async def add(self, user_id, wallets):
        self.changes.append(("add", user_id, wallets))
        return len(wallets)

    async def remove(self, user_id, wallets):
        self.changes.append(("remove", user_id, wallets))
        return len(wallets)

    async def page(self, user_id, after, rows_max):
        rows = [one for one in self.wallets if one > after][:rows_max]
        return [{"wallet": one, "target": False, "since": None, "name": "N", "image": None} for one in rows]


async def change(follows, method, *wallets):
    [route] = [one for one in follow_routes(follows) if one.method == method]
    body = msgspec.json.decode(msgspec.json.encode({"wallets": wallets}), type=route.body)
    return await route.handler(Call(principal=ME, params={}, body=body, headers={}))


@pytest.mark.parametrize(("method", "kind"), [("POST", "add"), ("DELETE", "remove")])
async def test_follows_change_all_at_once_or_not_at_all(method, kind):
    follows = Follows()
    good = "0x" + "aB" * 20
    assert (await change(follows, method, good, good)).changed == 2
    assert follows.changes == [(kind, "me", [good.lower()] * 2)]
    with pytest.raises(ApiError) as refusal:
        await change(follows, method, good, good, "0x12", "nobody")
    assert (refusal.value.status, refusal.value.field) == (400, "wallets[2]")
    assert len(follows.changes) == 1


@pytest.mark.parametrize("wallets", [[], ["0x" + "0" * 40] * 10_001])
async def test_none_and_too_many_wallets_are_refused(wallets):
    with pytest.raises(msgspec.ValidationError):
        await change(Follows(), "POST", *wallets)


async def test_ten_thousand_wallets_fit_into_the_body():
    [_, post, delete] = follow_routes(Follows())
    body = msgspec.json.encode(WalletList(wallets=["0x" + "0" * 40] * 10_000))
    assert len(body) < post.body_bytes_max == delete.body_bytes_max == 1 << 20


async def test_follows_come_in_pages():
    wallets = [f"0x{number:040x}" for number in range(5)]
    [route, *_] = follow_routes(Follows(*wallets))
    seen, cursor = [], None
    while True:
        given = {"limit": ["2"]} | ({} if cursor is None else {"cursor": [cursor]})
        answer = await route.handler(Call(principal=ME, params=parsed(route.params, given), body=None, headers={}))
        seen += [follow.wallet for follow in answer.follows]
        cursor = answer.next_cursor
        if cursor is None:
            break
    assert seen == wallets
