"""What a client sees of a request whose answer may get lost, come late or come as an error page (venue.md §8)."""

import attrs

from engine.simulator.exchange.api_keys import SignedRequest
from engine.simulator.exchange.order_faults import OrderFault, OrderFaults
from engine.simulator.exchange.replies import Handling
from engine.simulator.exchange.trading_api import TradingApi

_STATUS_PATHS = ("/data/order", "/data/trades")
_LATE_MS = 500


@attrs.frozen(kw_only=True)
class Delivery:
    """A request on its way: taken or not, and how its connection ends."""

    handling: Handling | None = None
    """None: the venue has not taken it, or only will."""
    lost: str | None = None
    """`close`: the connection ends without an answer; `hang`: there is none until the client has enough."""
    error_status: int | None = None
    """Of the page that a gateway answers instead."""
    html: bool = True
    """Whether that page is HTML."""
    delay_ms: int = 0
    """What the answer, or the end of the connection, waits for first."""


class DeliveryDesk:
    """Lets the faults in force decide about each request."""

    def __init__(self, api: TradingApi, faults: OrderFaults) -> None:
        self._api = api
        self._faults = faults

    def send(self, request: SignedRequest, now_ms: int) -> Delivery:
        """Takes a request, unless it never arrives."""
        if request.method == "POST" and request.path in ("/order", "/orders"):
            return self._order(request, now_ms)
        if request.method == "GET" and request.path.startswith(_STATUS_PATHS):
            return self._status(request, now_ms)
        return Delivery(handling=self._api.handle(request, now_ms))

    def _order(self, request: SignedRequest, now_ms: int) -> Delivery:
        before = self._faults.take("error_before")
        if before is not None:
            return _error(before)
        late = self._faults.take("accepted_late")
        if late is not None:
            self._api.handle_late(request, now_ms + late.number("after_ms", _LATE_MS))
            return Delivery(lost="close")
        handling = self._api.handle(request, now_ms)
        lost = self._faults.take("answer_lost")
        if lost is not None:
            return Delivery(handling=handling, lost=lost.text("how", "close"), delay_ms=lost.number("after_ms", 0))
        after = self._faults.take("error_after")
        return _error(after, handling) if after is not None else Delivery(handling=handling)

    def _status(self, request: SignedRequest, now_ms: int) -> Delivery:
        slow = self._faults.take("status_slow")
        delay_ms = slow.number("delay_ms", 2_000) if slow is not None else 0
        error = self._faults.take("status_error")
        if error is not None:
            return attrs.evolve(_error(error), delay_ms=delay_ms)
        return Delivery(handling=self._api.handle(request, now_ms), delay_ms=delay_ms)


def _error(fault: OrderFault, handling: Handling | None = None) -> Delivery:
    html = fault.parameters.get("html", True) is True
    return Delivery(handling=handling, error_status=fault.number("status", 502), html=html)
