"""One client of the real-time data stream."""

from collections import Counter
from typing import Any

import trio
from trio_websocket import WebSocketConnection

from engine.simulator.port_gate import ControlledStream
from engine.simulator.rtds_frames import ActivityFrame, ActivityType, envelope_head, unknown_topic
from engine.simulator.served_socket import ServedSocket

TOPICS = frozenset(
    {
        "activity",
        "comments",
        "crypto_prices",
        "crypto_prices_chainlink",
        "crypto_prices_twap_thirty",
        "crypto_prices_twap_sixty",
        "equity_prices",
    }
)
_Subscription = tuple[str, str]


class RtdsConnection(ServedSocket):
    """A served socket and its subscriptions."""

    def __init__(
        self, socket: WebSocketConnection, stream: ControlledStream, *, connection_id: str, buffer_bytes_max: int
    ) -> None:
        super().__init__(socket, stream, buffer_bytes_max=buffer_bytes_max)
        self.connection_id = connection_id
        self.subscriptions: Counter[_Subscription] = Counter()
        self.last_ping_s = trio.current_time()
        self._head = envelope_head(connection_id)

    def wants(self, kind: ActivityType) -> bool:
        """Returns whether rows of a type go to this client."""
        return bool(self.subscriptions.get(("activity", kind)) or self.subscriptions.get(("activity", "*")))

    def offer_row(self, frame: ActivityFrame) -> None:
        """Queues a row; a client that does not read is closed with 1013 instead."""
        self.offer(frame.for_connection(self._head))

    def change_subscriptions(self, frame: Any) -> bool:
        """Obeys a subscribe or unsubscribe frame and answers it. Returns whether activity was newly subscribed to.

        A frame without action is accepted and ignored; one unknown topic refuses the whole frame (venue.md §1.1).
        """
        wanted = [item for item in _listed(frame) if isinstance(item, dict)]
        action = frame.get("action") if isinstance(frame, dict) else None
        if action not in ("subscribe", "unsubscribe"):
            return False
        unknown = next((str(item.get("topic")) for item in wanted if item.get("topic") not in TOPICS), None)
        if unknown is not None:
            self.offer_message(unknown_topic(unknown))
            return False
        for item in wanted:
            subscription = (str(item["topic"]), str(item.get("type", "*")))
            if action == "unsubscribe":
                self.subscriptions.pop(subscription, None)
            elif item.get("filters"):
                # Accepted, and then nothing is ever delivered: no filter of the venue works.
                self.subscriptions[("activity:filtered", subscription[1])] = 1
            else:
                self.subscriptions[subscription] = 1
        if action == "subscribe":
            self.offer_message("")
            return True
        return False


def _listed(frame: Any) -> list[Any]:
    subscriptions = frame.get("subscriptions") if isinstance(frame, dict) else None
    return subscriptions if isinstance(subscriptions, list) else []
