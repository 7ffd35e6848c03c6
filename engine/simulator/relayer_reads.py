"""The one thing that clients ask the relayer before they trade: whether a wallet is there."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulator.data_requests import json_response
from engine.simulator.exchange.accounts import Accounts


class RelayerReads:
    """Served beside the CLOB, since the simulator has no relayer: nothing is on a chain."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def routes(self) -> list[Route]:
        """Returns the endpoint."""
        return [Route("/deployed", self._deployed)]

    async def _deployed(self, request: Request) -> Response:
        account = self._accounts.get(request.query_params.get("address", ""))
        return json_response({"deployed": account is not None})
