"""Why a trade was copied or not, over HTTP."""

from actors.rules.strategy.why import why
from engine.api.errors import not_found
from engine.api.ft_access import is_admin, wallet_id_param
from engine.api.params import Param, pattern
from engine.api.route import ApiRoute, Call
from protocols.users import Scope
from protocols.why import Why, WhyStore

TRADE_ID_PATTERN = "[A-Za-z0-9_.:-]{1,300}"


def why_routes(store: WhyStore) -> list[ApiRoute]:
    """Returns the route. Whoever lacks the scope admin sees what his own strategies did."""

    async def explain(call: Call) -> Why:
        trade_id, bot = call.params["tradeId"], call.params["walletId"]
        owner_id = None if is_admin(call) else call.principal.user_id
        facts = await store.facts(trade_id, bot)
        if facts is None:
            raise not_found("unknown_trade", "there is no such trade, or it is no longer kept")
        if bot is not None and (facts.asked is None or owner_id not in (None, facts.asked.owner_id)):
            raise not_found("unknown_strategy", "there is no such strategy")
        return why(facts, owner_id=owner_id, bot=bot)

    return [
        ApiRoute(
            method="GET",
            path="/api/trades/{tradeId}/why",
            handler=explain,
            scope=Scope.READ,
            summary="Why my strategies copied a trade or not; of one strategy every gate with value and limit",
            answer=Why,
            params=(
                trade_id_param(in_path=True),
                wallet_id_param(doc="strategy of which every gate is shown"),
            ),
            refusals={404: "there is no such trade or strategy"},
        )
    ]


def trade_id_param(*, in_path: bool = False) -> Param:
    """Returns a parameter that is the id of a trade."""
    return pattern(
        "tradeId",
        "id of a stored trade",
        TRADE_ID_PATTERN,
        allowed="1 to 300 letters, digits and _ . : -",
        required=True,
        in_path=in_path,
    )
