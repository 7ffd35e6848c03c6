"""The trading endpoints as functions of a request and the time: keys, orders, cancels, heartbeats (venue.md §4, §7.3).

HTTP and the simulation's ports both call `handle`, so that what is tested without sockets is what is served.
"""

import json
from collections.abc import Callable
from typing import Any

from engine.simulator.exchange.account_reads import AccountReads
from engine.simulator.exchange.admission import REQUEST_CHECKS, Attempt, read_entries
from engine.simulator.exchange.api_keys import ApiKey, SignedRequest
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.exchange.orders import OrderState, VenueOrder
from engine.simulator.exchange.placing import Placed
from engine.simulator.exchange.refusals import (
    BAD_KEY,
    BAD_L1,
    BAD_PAYLOAD,
    KEY_EXISTS,
    NO_ADDRESS,
    NO_KEY,
    Refusal,
    rate_limited,
    too_many,
)
from engine.simulator.exchange.replies import Handling, Reply, at_once, refused

CANCELS_MAX = 1_000
_Handler = Callable[[SignedRequest, int], Reply]
_Choice = Callable[[Any], list[str] | None]


class TradingApi:
    """Every endpoint of the CLOB that needs a key, and those that give one."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._reads = AccountReads(exchange)
        self._late: list[tuple[int, SignedRequest]] = []
        self._handlers: dict[tuple[str, str], _Handler] = {
            ("POST", "/auth/api-key"): self._create_key,
            ("GET", "/auth/derive-api-key"): self._derive_key,
            ("GET", "/auth/api-keys"): self._keys,
            ("DELETE", "/auth/api-key"): self._delete_key,
            ("DELETE", "/order"): self._cancel_one,
            ("DELETE", "/orders"): self._cancel_several,
            ("DELETE", "/cancel-all"): self._cancel_all,
            ("DELETE", "/cancel-market-orders"): self._cancel_market,
            ("POST", "/v1/heartbeats"): self._heartbeat,
            ("POST", "/heartbeats"): self._plain_heartbeat,
            ("GET", "/api/geoblock"): self._geoblock,
        }
        for path, read in self._reads.handlers().items():
            self._handlers["GET", path] = self._authenticated(read)

    def paths(self) -> list[tuple[str, str]]:
        """Returns method and path of every endpoint; `{id}` stands for one part."""
        return [*self._handlers, ("POST", "/order"), ("POST", "/orders"), ("GET", "/data/order/{id}")]

    def handle(self, request: SignedRequest, now_ms: int) -> Handling:
        """Takes a request; its answer may be due only after some ticks."""
        if (request.method, request.path) == ("POST", "/order"):
            return self._post(request, now_ms, batch=False)
        if (request.method, request.path) == ("POST", "/orders"):
            return self._post(request, now_ms, batch=True)
        if request.method == "GET" and request.path.startswith("/data/order/"):
            return at_once(self._authenticated(self._reads.order)(request, now_ms))
        handler = self._handlers.get((request.method, request.path))
        return at_once(Reply(404, {"error": "not found"}) if handler is None else handler(request, now_ms))

    def handle_late(self, request: SignedRequest, at_ms: int) -> None:
        """Takes a request only then, when nobody waits for its answer any more."""
        self._late.append((at_ms, request))

    def tick(self, now_ms: int) -> None:
        """Lets late requests, and then the exchange, go on."""
        for entry in [each for each in self._late if each[0] <= now_ms]:
            self._late.remove(entry)
            self.handle(entry[1], now_ms)
        self._exchange.tick(now_ms)

    def _post(self, request: SignedRequest, now_ms: int, *, batch: bool) -> Handling:
        values = _json(request.body)
        entries = read_entries(values if batch and isinstance(values, list) else [values])
        if not batch:
            attempt = Attempt(request=request, entries=entries, payload=entries[0], now_ms=now_ms)
            placed = self._exchange.place(attempt)
            return Handling(None, [placed], headers=attempt.headers, batch=False)
        whole = Attempt(request=request, entries=entries, now_ms=now_ms)
        desk = self._exchange.desk
        refusal = desk.refusal(whole, REQUEST_CHECKS)
        if refusal is None and not isinstance(values, list):
            refusal = BAD_PAYLOAD
        if refusal is not None:
            return at_once(refused(refusal, whole.headers))
        return Handling(None, self._post_each(whole), headers=whole.headers, batch=True)

    def _post_each(self, whole: Attempt) -> list[Placed]:
        desk = self._exchange.desk
        own_checks = [name for name in desk.order if name not in REQUEST_CHECKS]
        placed = []
        for payload in whole.entries:
            attempt = Attempt(
                request=whole.request, entries=whole.entries, payload=payload, now_ms=whole.now_ms, key=whole.key
            )
            desk.find_market(attempt)
            if attempt.order_id:
                self._exchange.orders.posts[attempt.order_id] += 1
            refusal = desk.refusal(attempt, own_checks)
            placed.append(self._exchange.placed(attempt) if refusal is None else Placed(verdict=refusal))
        return placed

    def _create_key(self, request: SignedRequest, _now_ms: int) -> Reply:
        proved = self._exchange.keys.l1_address(request)
        if proved is None:
            return refused(BAD_L1)
        made = self._exchange.keys.create(*proved)
        return Reply(200, made.rendered()) if made is not None else refused(KEY_EXISTS)

    def _derive_key(self, request: SignedRequest, _now_ms: int) -> Reply:
        proved = self._exchange.keys.l1_address(request)
        if proved is None:
            return refused(BAD_L1)
        known = self._exchange.keys.derive(*proved)
        return Reply(200, known.rendered()) if known is not None else refused(NO_KEY)

    def _keys(self, request: SignedRequest, _now_ms: int) -> Reply:
        key = self._exchange.keys.l2_key(request)
        if key is None:
            return refused(BAD_KEY)
        return Reply(200, {"apiKeys": [each.key for each in self._exchange.keys.of_address(key.address)]})

    def _delete_key(self, request: SignedRequest, _now_ms: int) -> Reply:
        key = self._exchange.keys.l2_key(request)
        if key is None:
            return refused(BAD_KEY)
        self._exchange.keys.delete(key.key)
        return Reply(200, "OK")

    def _cancel_one(self, request: SignedRequest, now_ms: int) -> Reply:
        def chosen(body: Any) -> list[str] | None:
            order_id = body.get("orderID") if isinstance(body, dict) else None
            return [order_id] if isinstance(order_id, str) else None

        return self._cancel(request, now_ms, chosen)

    def _cancel_several(self, request: SignedRequest, now_ms: int) -> Reply:
        def chosen(body: Any) -> list[str] | None:
            return body if isinstance(body, list) and all(isinstance(each, str) for each in body) else None

        return self._cancel(request, now_ms, chosen)

    def _cancel_all(self, request: SignedRequest, now_ms: int) -> Reply:
        return self._cancel(request, now_ms, None)

    def _cancel_market(self, request: SignedRequest, now_ms: int) -> Reply:
        body = _json(request.body)
        if not isinstance(body, dict):
            return refused(BAD_PAYLOAD)

        def fits(order: VenueOrder) -> bool:
            return body.get("market") in (None, "", order.market.condition_id) and (
                body.get("asset_id") in (None, "", order.token_id)
            )

        return self._cancel(request, now_ms, None, fits)

    def _cancel(
        self,
        request: SignedRequest,
        now_ms: int,
        chosen: _Choice | None,
        fits: Callable[[VenueOrder], bool] = lambda _: True,
    ) -> Reply:
        key = self._key(request)
        if isinstance(key, Refusal):
            return refused(key)
        ids = self._live_ids(key, fits) if chosen is None else chosen(_json(request.body))
        if ids is None:
            return refused(BAD_PAYLOAD)
        if chosen is not None and len(ids) > CANCELS_MAX:
            return refused(too_many(len(ids), CANCELS_MAX))
        restarting = self._exchange.modes.refusal_of_restart(now_ms)
        if restarting is not None:
            return refused(restarting)
        cost = len(ids) + (chosen is None)
        spent = self._exchange.buckets.spend(key.address, "cancels", cost, now_ms)
        if not spent.admitted:
            return refused(rate_limited(spent.retry_after_s), spent.headers)
        canceled: list[str] = []
        kept: dict[str, str] = {}
        for order_id in dict.fromkeys(ids):
            reason = self._exchange.cancel(key, order_id, now_ms)
            if reason is None:
                canceled.append(order_id)
            else:
                kept[order_id] = reason
        return Reply(200, {"canceled": canceled, "not_canceled": kept}, spent.headers)

    def _live_ids(self, key: ApiKey, fits: Callable[[VenueOrder], bool]) -> list[str]:
        mine = self._exchange.open_orders(key)
        return [each.order_id for each in mine if each.state is OrderState.LIVE and fits(each)]

    def _heartbeat(self, request: SignedRequest, now_ms: int) -> Reply:
        key = self._key(request)
        if isinstance(key, Refusal):
            return refused(key)
        body = _json(request.body)
        given = body.get("heartbeat_id") if isinstance(body, dict) else None
        valid, following = self._exchange.heartbeats.beat(key.key, str(given or ""), now_ms)
        if not valid:
            return Reply(400, {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": following})
        return Reply(200, {"heartbeat_id": following})

    def _plain_heartbeat(self, request: SignedRequest, now_ms: int) -> Reply:
        key = self._key(request)
        if isinstance(key, Refusal):
            return refused(key)
        self._exchange.heartbeats.beat_without_id(key.key, now_ms)
        return Reply(200, {"status": "ok"})

    def _geoblock(self, _request: SignedRequest, _now_ms: int) -> Reply:
        modes = self._exchange.modes
        blocked = modes.geoblocked or modes.close_only
        return Reply(200, {"blocked": blocked, "ip": "127.0.0.1", "country": "US" if blocked else "IE", "region": ""})

    def _key(self, request: SignedRequest) -> ApiKey | Refusal:
        if not request.headers.get("poly_address"):
            return NO_ADDRESS
        return self._exchange.keys.l2_key(request) or BAD_KEY

    def _authenticated(self, read: Callable[[ApiKey, SignedRequest], Reply]) -> _Handler:
        def handler(request: SignedRequest, _now_ms: int) -> Reply:
            key = self._exchange.keys.l2_key(request)
            return refused(BAD_KEY) if key is None else read(key, request)

        return handler


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
