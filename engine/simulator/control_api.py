"""The simulator's own interface: what is going on, what should go wrong, what to play, and the truth to check against."""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulator.data_requests import json_response
from engine.simulator.emission import Emission, EmissionError
from engine.simulator.exchange.order_faults import OrderFaultError
from engine.simulator.faults import FaultBoard, FaultError
from engine.simulator.ledger import Ledger
from engine.simulator.market import MarketDirectory
from engine.simulator.player import Player
from engine.simulator.publisher import Publisher
from engine.simulator.rtds_server import RtdsServer
from engine.simulator.tape import TapeError


class ControlError(Exception):
    """A request that cannot be obeyed, with the reason."""


class _Stage(Protocol):
    """What the control API acts on."""

    faults: FaultBoard
    ledger: Ledger
    player: Player
    publisher: Publisher
    emission: Emission
    rtds: RtdsServer
    markets: MarketDirectory

    def now_ms(self) -> int: ...

    def describe(self) -> dict[str, object]: ...

    async def load_tape(self, path: Path, *, speed: float | None, keep_time: bool) -> None: ...

    def request_stop(self) -> None: ...


Handler = Callable[[dict[str, Any]], Awaitable[object]]
_REASONS = (
    ControlError,
    FaultError,
    OrderFaultError,
    EmissionError,
    TapeError,
    json.JSONDecodeError,
    UnicodeDecodeError,
)


class ControlApi:
    """Every request body is one JSON object; every answer is one."""

    def __init__(self, stage: _Stage) -> None:
        self._stage = stage

    def routes(self) -> list[Route]:
        """Returns the endpoints."""
        return [
            Route("/state", self._state),
            Route("/faults", self._faults, methods=["GET"]),
            Route("/faults", self._clear_faults, methods=["DELETE"]),
            Route("/faults", obeying(self._add_fault), methods=["POST"]),
            Route("/play", obeying(self._play), methods=["POST"]),
            Route("/emit", obeying(self._emit, exact=True), methods=["POST"]),
            Route("/ledger", obeying(self._truth), methods=["POST"]),
            Route("/resolve", obeying(self._resolve), methods=["POST"]),
            Route("/stop", obeying(self._stop), methods=["POST"]),
        ]

    async def _state(self, _request: Request) -> Response:
        return json_response(self._stage.describe())

    async def _faults(self, _request: Request) -> Response:
        return json_response({"faults": self._stage.faults.describe()})

    async def _clear_faults(self, request: Request) -> Response:
        fault_id = request.query_params.get("id")
        if fault_id is not None and not fault_id.isdigit():
            return json_response({"error": "id must be a number"}, status=400)
        kind = request.query_params.get("kind")
        cleared = self._stage.faults.clear(kind, int(fault_id) if fault_id is not None else None)
        return json_response({"cleared": cleared})

    async def _add_fault(self, body: dict[str, Any]) -> object:
        """`{"kind": …, parameters…, "duration_s": …}`, or kind `clear`."""
        parameters = dict(body)
        kind = parameters.pop("kind", None)
        duration_s = parameters.pop("duration_s", None)
        if not isinstance(kind, str):
            raise ControlError("kind is missing")
        if duration_s is not None and not isinstance(duration_s, int | float):
            raise ControlError("duration_s must be a number")
        if kind == "clear":
            return {"cleared": self._stage.faults.clear()}
        fault = self._stage.faults.add(kind, parameters, duration_s)
        return {"id": fault.id, "kind": fault.kind}

    async def _play(self, body: dict[str, Any]) -> object:
        """`{"action": "start" | "pause" | "resume" | "load", "tape": …, "speed": …, "keep_time": …}`.

        A tape without action is loaded and started; `load` waits for `start`.
        """
        only(body, "action", "tape", "speed", "keep_time")
        action = body.get("action", "start")
        if action not in ("start", "pause", "resume", "load"):
            raise ControlError(f"unknown action {action!r}")
        if "tape" in body:
            path = Path(str(body["tape"]))
            speed = speed_from(body.get("speed", 1.0))
            await self._stage.load_tape(path, speed=speed, keep_time=body.get("keep_time") is True)
        elif action == "load":
            raise ControlError("load needs a tape")
        if action in ("start", "resume"):
            self._stage.player.start()
        elif action == "pause":
            self._stage.player.pause()
        return self._stage.player.describe()

    async def _emit(self, body: dict[str, Any]) -> object:
        """`{"trades": [rows], "keep_time": …, "raw": [texts], "raw_base64": [binary frames]}`."""
        only(body, "trades", "keep_time", "raw", "raw_base64")
        rows = _objects(body.get("trades", []), "trades")
        raw = body.get("raw", [])
        if not isinstance(raw, list) or not all(isinstance(each, str) for each in raw):
            raise ControlError("raw must be a list of texts")
        try:
            binary = [base64.b64decode(each, validate=True) for each in body.get("raw_base64", [])]
        except (binascii.Error, TypeError, ValueError):
            raise ControlError("raw_base64 must be a list of base64 texts") from None
        block = self._stage.emission.block(rows, keep_time=body.get("keep_time") is True)
        self._stage.publisher.publish(block)
        self._stage.rtds.send_raw([*raw, *binary])
        return {
            "fills": sum(len(match.fills) for match in block.matches),
            "transactions": [match.transaction_hash for match in block.matches],
            "raw_frames": len(raw) + len(binary),
        }

    async def _truth(self, body: dict[str, Any]) -> object:
        """`{"wallets": [addresses] | null, "since": seconds, "until": seconds}`."""
        only(body, "wallets", "since", "until")
        wallets = body.get("wallets")
        if wallets is not None and not (isinstance(wallets, list) and all(isinstance(each, str) for each in wallets)):
            raise ControlError("wallets must be a list of addresses or null")
        bounds = [body.get(name) for name in ("since", "until")]
        if any(bound is not None and not isinstance(bound, int) for bound in bounds):
            raise ControlError("since and until must be seconds")
        since_s, until_s = bounds
        fills = self._stage.ledger.truth(wallets, since_s, until_s)
        return {"fills": fills, "evicted": self._stage.ledger.evicted}

    async def _resolve(self, body: dict[str, Any]) -> object:
        """`{"condition_id": …, "payouts": [micro-USD a share, …]}`; without payouts the market only closes."""
        only(body, "condition_id", "payouts")
        market = self._stage.markets.with_condition(str(body.get("condition_id")))
        if market is None:
            raise ControlError("there is no such market")
        payouts = body.get("payouts")
        if payouts is None:
            market.close(self._stage.now_ms())
        elif isinstance(payouts, list) and len(payouts) == 2 and all(type(each) is int for each in payouts):
            try:
                market.resolve((payouts[0], payouts[1]), self._stage.now_ms())
            except ValueError as error:
                raise ControlError(str(error)) from None
        else:
            raise ControlError("payouts must be two whole numbers of micro-USD")
        return {"condition_id": market.condition_id, "state": market.state.value, "payouts": market.payouts}

    async def _stop(self, _body: dict[str, Any]) -> object:
        self._stage.request_stop()
        return {"stopping": True}


def speed_from(value: object) -> float | None:
    """Returns a speed: a positive number, or None for `max`. Raises `ControlError`."""
    if value in ("max", None):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        raise ControlError(f'speed must be a positive number or "max", not {value!r}')
    return float(value)


def obeying(handler: Handler, *, exact: bool = False) -> Callable[[Request], Awaitable[Response]]:
    """Returns the endpoint of a handler: 400 with the reason when it cannot obey. `exact`: numbers are decimals."""

    async def endpoint(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"{}", parse_float=Decimal if exact else float)
            if not isinstance(body, dict):
                raise ControlError("the body must be a JSON object")
            return json_response(await handler(body))
        except _REASONS as error:
            return json_response({"error": str(error)}, status=400)

    return endpoint


def only(body: Mapping[str, Any], *names: str) -> None:
    """Raises `ControlError` for a key that is none of these."""
    unknown = sorted(body.keys() - set(names))
    if unknown:
        raise ControlError(f"unknown: {', '.join(unknown)}; there are: {', '.join(names)}")


def _objects(value: object, name: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ControlError(f"{name} must be a list of objects")
    return value
