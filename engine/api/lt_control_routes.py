"""Live trading as a whole: stop all entries, let them go on, compare and settle now. For administrators."""

from collections.abc import Callable
from typing import Any

import attrs

from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.api.errors import unavailable
from engine.api.lt_access import confirmed
from engine.api.lt_bodies import Changed, Confirmed, Stopped
from engine.api.route import ApiRoute, Call, Rate
from protocols.live.operating import LiveJobs
from protocols.users import Scope


@attrs.define(eq=False)
class _Handlers:
    store: LiveStrategyStore
    jobs: Callable[[], LiveJobs | None]

    async def halt(self, call: Call) -> Changed:
        return Changed(changed=await self.store.halt(by=call.principal.user_name, reason=call.body.reason))

    async def end_halt(self, call: Call) -> Changed:
        confirmed(call.body.confirm)
        return Changed(changed=await self.store.end_halt(by=call.principal.user_name, reason="over the API"))

    async def compare(self, _call: Call) -> Changed:
        await self._running().compare()
        return Changed(changed=True)

    async def execute(self, _call: Call) -> Changed:
        self._running().look()
        return Changed(changed=True)

    async def settle(self, _call: Call) -> Changed:
        await self._running().settle()
        return Changed(changed=True)

    def _running(self) -> LiveJobs:
        jobs = self.jobs()
        if jobs is None:
            raise unavailable("this engine does not trade live: see isTrading of /api/lt/status", 5.0)
        return jobs


def lt_control_routes(store: LiveStrategyStore, jobs: Callable[[], LiveJobs | None]) -> list[ApiRoute]:
    """Returns the routes. `jobs` returns None while this engine does not trade live; what needs it is then answered 503."""
    handlers = _Handlers(store, jobs)
    admin: dict[str, Any] = {"method": "POST", "scope": Scope.ADMIN, "rate": Rate.ADMIN, "answer": Changed}
    return [
        ApiRoute(path="/api/lt/halt", handler=handlers.halt, body=Stopped,
                 summary="Stops all entries of all strategies; exits go on. Survives restarts.", **admin),
        ApiRoute(path="/api/lt/unhalt", handler=handlers.end_halt, body=Confirmed, summary="Lets entries go on.", **admin),
        ApiRoute(path="/api/lt/sync-order-status", handler=handlers.compare,
                 summary="Compares every account and every working order with the venue now.", **admin),
        ApiRoute(path="/api/lt/execute", handler=handlers.execute,
                 summary="Has claims that nobody executed and open obligations to sell read again now.", **admin),
        ApiRoute(path="/api/lt/resolve", handler=handlers.settle, summary="Settles resolved markets now.", **admin),
    ]  # fmt: skip
