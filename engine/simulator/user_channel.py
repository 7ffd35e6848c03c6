"""The user channel `/ws/user`: orders and trades of whoever proved his API key (venue.md §2.2)."""

from collections.abc import Mapping
from typing import Any

import attrs
import trio

from engine.simulator.clob_connection import ClobConnection
from engine.simulator.clob_frames import order_frame, trade_frame
from engine.simulator.exchange.api_keys import ApiKey
from engine.simulator.exchange.events import ExchangeEvent, OrderChanged, TradeChanged
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.exchange.rendering import role_in

_POLICY_VIOLATION = 1008
_HELD_S = 3.0


@attrs.define(eq=False)
class _Subscriber:
    connection: ClobConnection
    key: ApiKey | None = None
    markets: set[str] = attrs.field(factory=set)
    """Conditions, lower case; empty: all of them."""
    held: Mapping[str, Any] | None = None
    """An event that the next one overtakes."""
    held_until_s: float = 0.0
    """When it goes though nothing has overtaken it."""


class UserChannel:
    """Every client of the channel. Nothing is told again after a reconnect."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._subscribers: dict[ClobConnection, _Subscriber] = {}
        exchange.listeners.append(self._heard)

    def join(self, connection: ClobConnection) -> None:
        """Takes a client that has proved nothing yet: it hears nothing."""
        self._subscribers[connection] = _Subscriber(connection)

    def leave(self, connection: ClobConnection) -> None:
        """Forgets a client."""
        self._subscribers.pop(connection, None)

    def answer(self, connection: ClobConnection, frame: Any) -> None:
        """Obeys a frame: the first one has `auth`, later ones an `operation`. Wrong credentials end the connection."""
        if not isinstance(frame, dict):
            return
        subscriber = self._subscribers[connection]
        named = frame.get("markets")
        markets = {str(each).lower() for each in named} if isinstance(named, list) else set()
        auth = frame.get("auth")
        if frame.get("type") in ("user", "USER"):
            subscriber.key = self._exchange.keys.with_socket_auth(auth) if isinstance(auth, Mapping) else None
            subscriber.markets = markets
            if subscriber.key is None:
                connection.close(_POLICY_VIOLATION, "invalid credentials")
        elif frame.get("operation") == "subscribe":
            subscriber.markets |= markets
        elif frame.get("operation") == "unsubscribe":
            subscriber.markets -= markets

    def release_held(self) -> None:
        """Sends what nothing has overtaken in time; to be called now and then."""
        now_s = trio.current_time()
        for subscriber in self._subscribers.values():
            if subscriber.held_until_s <= now_s:
                _release(subscriber)

    def _heard(self, event: ExchangeEvent) -> None:
        if not self._subscribers:
            return
        for subscriber in list(self._subscribers.values()):
            key = subscriber.key
            if key is None:
                continue
            if isinstance(event, OrderChanged):
                if event.order.signer == key.address and _follows(subscriber, event.order.market.condition_id):
                    self._send(subscriber, order_frame(event))
            elif isinstance(event, TradeChanged) and _follows(subscriber, event.trade.market.condition_id):
                role = role_in(event.trade, self._exchange.funders_of(key))
                if role is not None:
                    self._send(subscriber, trade_frame(event, role))

    def _send(self, subscriber: _Subscriber, frame: Mapping[str, Any]) -> None:
        faults = self._exchange.faults
        if faults.take("socket_lost") is not None:
            subscriber.connection.lost_frames += 1
            return
        if subscriber.held is None and faults.take("socket_reorder") is not None:
            subscriber.held, subscriber.held_until_s = frame, trio.current_time() + _HELD_S
            return
        subscriber.connection.tell(frame)
        if faults.take("socket_duplicate") is not None:
            subscriber.connection.tell(frame)
        _release(subscriber)


def _release(subscriber: _Subscriber) -> None:
    overtaken, subscriber.held = subscriber.held, None
    if overtaken is not None:
        subscriber.connection.tell(overtaken)


def _follows(subscriber: _Subscriber, condition_id: str) -> bool:
    return not subscriber.markets or condition_id.lower() in subscriber.markets
