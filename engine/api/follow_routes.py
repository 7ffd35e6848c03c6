"""Whom the caller follows: look, follow, stop following."""

import re
from datetime import datetime
from typing import Annotated

import msgspec

from engine.adapters.postgres.follow_store import UserFollowStore
from engine.api.errors import bad_field
from engine.api.params import wallet, whole
from engine.api.route import ApiRoute, Call, Handler, Rate, Struct
from protocols.users import Scope

WALLETS_MAX = 10_000
BODY_BYTES_MAX = 1 << 20
PAGE_MAX = 1_000
_WALLET = re.compile("0x[0-9a-fA-F]{40}")
# Described only: what is refused is refused in words of ours.
Wallet = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{_WALLET.pattern}$"})]


class Follow(Struct):
    """One trader whom the caller follows."""

    wallet: str
    is_target: bool
    """Whether his trades are copied with precedence (lane 0)."""
    followed_at: datetime
    trader_name: str | None
    trader_image: str | None


class FollowPage(Struct):
    """Follows in the order of wallets."""

    follows: list[Follow]
    next_cursor: str | None


class WalletList(Struct):
    """Wallets, 0x and 40 hex digits each; upper and lower case are the same."""

    wallets: Annotated[list[Wallet], msgspec.Meta(min_length=1, max_length=WALLETS_MAX)]


class Changed(Struct):
    """What a change did."""

    changed: int
    """Wallets for which it made a difference."""


def follow_routes(store: UserFollowStore) -> list[ApiRoute]:
    """Returns the routes of the caller's own follows."""

    async def look(call: Call) -> FollowPage:
        limit = call.params["limit"]
        rows = await store.page(call.principal.user_id, call.params["cursor"] or "", limit + 1)
        follows = [
            Follow(
                wallet=row["wallet"],
                is_target=row["target"],
                followed_at=row["since"],
                trader_name=row["name"],
                trader_image=row["image"],
            )
            for row in rows[:limit]
        ]
        return FollowPage(follows=follows, next_cursor=follows[-1].wallet if len(rows) > limit else None)

    async def follow(call: Call) -> Changed:
        return Changed(changed=await store.add(call.principal.user_id, checked_wallets(call.body)))

    async def unfollow(call: Call) -> Changed:
        return Changed(changed=await store.remove(call.principal.user_id, checked_wallets(call.body)))

    limit = whole("limit", "follows on a page", at_least=1, at_most=PAGE_MAX, default=100)
    return [
        ApiRoute(
            method="GET",
            path="/api/follows",
            handler=look,
            scope=Scope.READ,
            summary="Whom I follow",
            answer=FollowPage,
            params=(limit, wallet("cursor")),
        ),
        _change("POST", follow, "Follow traders: all of these wallets or none"),
        _change("DELETE", unfollow, "Stop following traders"),
    ]


def _change(method: str, handler: Handler, summary: str) -> ApiRoute:
    return ApiRoute(
        method=method,
        path="/api/follows",
        handler=handler,
        scope=Scope.READ,
        summary=summary,
        answer=Changed,
        body=WalletList,
        body_bytes_max=BODY_BYTES_MAX,
        rate=Rate.CHANGE,
    )


def checked_wallets(body: WalletList) -> list[str]:
    """Returns the wallets in lower case. Raises a 400 that names the first one which is none."""
    for index, text in enumerate(body.wallets):
        if not _WALLET.fullmatch(text):
            raise bad_field(f"wallets[{index}]", "must be 0x and 40 hex digits; nothing was changed")
    return [text.lower() for text in body.wallets]
