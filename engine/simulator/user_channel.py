"""The user channel `/ws/user`: orders and trades of whoever proved his API key (venue.md §2.2)."""

from collections.abc import Mapping
from typing import Any

import attrs

from engine.simulator.clob_connection import ClobConnection
from engine.simulator.clob_frames import order_frame, trade_frame
from engine.simulator.exchange.api_keys import ApiKey
from engine.simulator.exchange.events import ExchangeEvent, OrderChanged, TradeChanged
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.exchange.rendering import role_in

_POLICY_VIOLATION = 1008


@attrs.define(eq=False)
class _Subscriber:
    connection: ClobConnection
    key: ApiKey | None = None
    markets: set[str] = attrs.field(factory=set)
    """Conditions, lower case; empty: all of them."""
    held: list[Mapping[str, Any]] = attrs.field(factory=list)
    """Events that the next one overtakes."""


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
        if faults.take("socket_reorder") is not None:
            subscriber.held.append(frame)
            return
        subscriber.connection.tell(frame)
        if faults.take("socket_duplicate") is not None:
            subscriber.connection.tell(frame)
        overtaken, subscriber.held = subscriber.held, []
        for each in reversed(overtaken):
            subscriber.connection.tell(each)


def _follows(subscriber: _Subscriber, condition_id: str) -> bool:
    return not subscriber.markets or condition_id.lower() in subscriber.markets
