"""Answers of the trading API, some of which take a while."""

from collections.abc import Mapping
from typing import Any

import attrs

from engine.simulator.exchange.placing import Placed, Verdict, refused_entry
from engine.simulator.exchange.refusals import NOT_INSERTED, Refusal


@attrs.frozen
class Reply:
    """One answer; the body is a JSON value."""

    status: int
    body: Any
    headers: Mapping[str, str] = attrs.field(factory=dict)


class Handling:
    """A request that has been taken. Its reply is there once `due_ms` is None."""

    def __init__(self, reply: Reply | None, placed: list[Placed], *, headers: Mapping[str, str], batch: bool) -> None:
        self._reply = reply
        self._placed = placed
        self._headers = headers
        self._batch = batch

    @property
    def due_ms(self) -> int | None:
        """When the exchange has to tick before there is a reply; None: there is one."""
        return max(
            (each.due_ms for each in self._placed if each.verdict is None and each.due_ms is not None), default=None
        )

    def reply(self) -> Reply:
        """Returns the answer."""
        if self._reply is not None:
            return self._reply
        if self._batch:
            return Reply(200, [_entry(each) for each in self._placed], self._headers)
        verdict = self._placed[0].verdict or NOT_INSERTED
        if isinstance(verdict, Refusal):
            return refused(verdict, self._headers)
        return Reply(200, verdict.rendered(), self._headers)


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Reply:
    """Returns the answer to a request that was refused."""
    more = {"Retry-After": str(refusal.retry_after_s)} if refusal.retry_after_s is not None else {}
    return Reply(refusal.status, refusal.body(), {**(headers or {}), **more})


def at_once(reply: Reply) -> Handling:
    """Returns the handling of a request that is answered already."""
    return Handling(reply, [], headers={}, batch=False)


def _entry(placed: Placed) -> dict[str, Any]:
    verdict = placed.verdict or NOT_INSERTED
    return verdict.rendered() if isinstance(verdict, Verdict) else refused_entry(verdict)
