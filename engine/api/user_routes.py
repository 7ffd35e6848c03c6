"""Users and tokens: who I am, whom there is, and what lets programs act for them."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Protocol

import attrs
import msgspec

from engine.adapters.postgres.user_store import TokenRow, TooManyTokensError, UserRow, UserStore
from engine.api.errors import ApiError, bad_field, forbidden, not_found
from engine.api.params import pattern, whole
from engine.api.route import ApiRoute, Call, Rate, Struct
from engine.api.text_fields import text_field
from protocols.clock import Random, WallClock
from protocols.errors import TransientError
from protocols.users import ADMIN_NAME, TOKEN_NAME_PATTERN, USER_NAME_PATTERN, Scope, new_token, token_digest

DAY_MS = 86_400_000
DAYS_MAX = 3_650
USERS_PAGE_MAX = 500
_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_NAME_ALLOWED = "1 to 64 letters, digits and _ . @ -, beginning with a letter or digit"
# (?!\n): a $ alone also matches before a line break at the end.
UserName = Annotated[str, text_field(USER_NAME_PATTERN, _NAME_ALLOWED)]
TokenName = Annotated[str, msgspec.Meta(pattern=f"^{TOKEN_NAME_PATTERN}(?!\\n)$", description="what the token is for")]
Days = Annotated[int, msgspec.Meta(ge=1, le=DAYS_MAX, description="days until the token ends; null: never")]
Scopes = Annotated[list[Scope], msgspec.Meta(min_length=1, max_length=len(Scope))]


class Me(Struct):
    """Who asks, and with which token."""

    user_id: str
    user_name: str
    token_id: str
    scopes: list[Scope]


class User(Struct):
    """A user."""

    user_id: str
    user_name: str
    is_admin: bool
    created_at: datetime
    disabled_at: datetime | None


class Users(Struct):
    """A page of users in the order of their names."""

    users: list[User]
    next_after: str | None
    """The value of `after` for the next page; null when this is the last one."""


class NewUser(Struct):
    """A user to be made."""

    user_name: UserName
    is_admin: bool = False


class Token(Struct):
    """A token, without its text."""

    token_id: str
    user_name: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None


class Tokens(Struct):
    """Tokens that are not revoked; some may have expired."""

    tokens: list[Token]


class NewToken(Struct):
    """A token to be made."""

    name: TokenName
    scopes: Scopes
    expires_in_days: Days | None = None
    user_name: UserName | None = None
    """For whom; others than oneself need the scope admin."""


class MadeToken(Struct):
    """A new token. This is the only time that its text is told."""

    token: str
    details: Token


class Revoked(Struct):
    """A token that holds no longer."""

    token_id: str


class LiveTokens(Protocol):
    """The table against which tokens are checked (`TokenRegistry`)."""

    async def refresh(self) -> None:
        """Reads it again."""
        ...

    def forget(self, token_ids: list[str]) -> None:
        """Drops tokens at once."""
        ...

    def forget_user(self, user_id: str) -> None:
        """Drops the tokens of a user at once."""
        ...


@attrs.define(eq=False, kw_only=True)
class _Handlers:
    store: UserStore
    live: LiveTokens
    clock: WallClock
    rng: Random = attrs.field(repr=False)
    end_sessions: Callable[[str], None]

    async def me(self, call: Call) -> Me:
        one = call.principal
        scopes = sorted(one.scopes, key=list(Scope).index)
        return Me(user_id=one.user_id, user_name=one.user_name, token_id=one.token_id, scopes=scopes)

    async def users(self, call: Call) -> Users:
        limit = call.params["limit"]
        rows = await self.store.users(after=call.params["after"] or "", limit=limit + 1)
        page = [_user(row) for row in rows[:limit]]
        return Users(users=page, next_after=page[-1].user_name if len(rows) > limit else None)

    async def add_user(self, call: Call) -> User:
        row = await self.store.add_user(call.body.user_name, is_admin=call.body.is_admin)
        if row is None:
            raise ApiError(409, "user_exists", "there is a user of that name", "userName")
        return _user(row)

    async def disable_user(self, call: Call) -> User:
        name = call.params["userName"]
        if name == ADMIN_NAME:
            raise ApiError(409, "last_administrator", "the user admin stays: the bootstrap token is his", "userName")
        row = await self.store.disable_user(name)
        if row is None:
            raise not_found("unknown_user", "there is no such user")
        self.live.forget_user(row.user_id)
        self.end_sessions(row.user_id)
        return _user(row)

    async def tokens(self, call: Call) -> Tokens:
        name = self._whose(call, call.params["user"])
        if name != call.principal.user_name and await self.store.user(name) is None:
            raise not_found("unknown_user", "there is no such user")
        return Tokens(tokens=[_token(row) for row in await self.store.tokens(name)])

    async def add_token(self, call: Call) -> MadeToken:
        body: NewToken = call.body
        name = self._whose(call, body.user_name)
        for scope in body.scopes:
            # Where a session needed no password, a token of it must not trade or rule when money is real one day.
            if scope not in call.principal.scopes or (call.principal.is_login_free and scope is not Scope.READ):
                raise forbidden(scope.value)
        text = new_token(self.rng)
        try:
            row = await self.store.add_token(
                name,
                name=body.name,
                digest=token_digest(text.encode()),
                scopes=body.scopes,
                expires_at_ms=self._expiry_ms(call, body.expires_in_days),
            )
        except TooManyTokensError as error:
            raise ApiError(409, "too_many_tokens", str(error)) from None
        if row is None:
            raise not_found("unknown_user", "there is no such user, or he is disabled")
        with suppress(TransientError):  # the token is made; where the table cannot be read now, it holds a moment later
            await self.live.refresh()
        return MadeToken(token=text, details=_token(row))

    async def revoke_token(self, call: Call) -> Revoked:
        token_id = call.params["tokenId"].lower()
        owner = None if Scope.ADMIN in call.principal.scopes else call.principal.user_id
        if not await self.store.revoke_token(token_id, user_id=owner):
            raise not_found("unknown_token", "there is no such token, or it is revoked already")
        self.live.forget([token_id])
        return Revoked(token_id=token_id)

    def _whose(self, call: Call, name: str | None) -> str:
        """Returns whose tokens are meant. Raises a 403 when they are another user's and the scope admin is missing."""
        if name is None or name == call.principal.user_name:
            return call.principal.user_name
        if Scope.ADMIN not in call.principal.scopes:
            raise forbidden(Scope.ADMIN.value)
        return name

    def _expiry_ms(self, call: Call, days: int | None) -> int | None:
        """Returns when the new token ends: else one that leaks could prolong itself."""
        longest_ms = call.principal.expires_at_ms
        if days is None:
            return longest_ms
        wanted_ms = self.clock.now_ms() + days * DAY_MS
        if longest_ms is not None and wanted_ms > longest_ms:
            raise bad_field("expiresInDays", "a token cannot outlive the one that makes it")
        return wanted_ms


def user_routes(
    store: UserStore,
    live: LiveTokens,
    clock: WallClock,
    rng: Random,
    end_sessions: Callable[[str], None] = lambda user_id: None,
) -> list[ApiRoute]:
    """Returns the routes of users and tokens. `rng` makes tokens: it has to be a `random.SystemRandom`.

    `end_sessions` is told the id of a user who was disabled.
    """
    handlers = _Handlers(store=store, live=live, clock=clock, rng=rng, end_sessions=end_sessions)
    return [_me(handlers), *_user_management(handlers), *_token_management(handlers)]


def _me(handlers: _Handlers) -> ApiRoute:
    return ApiRoute(
        method="GET",
        path="/api/me",
        handler=handlers.me,
        scope=None,
        summary="Who asks, and what the token allows.",
        answer=Me,
    )


def _user_management(handlers: _Handlers) -> list[ApiRoute]:
    after = pattern("after", "users after this name", r"[^\x00-\x1f\x7f]{1,200}", allowed="a name")
    limit = whole("limit", "users on a page", at_least=1, at_most=USERS_PAGE_MAX, default=100)
    name = pattern("userName", "name of a user", USER_NAME_PATTERN, allowed=_NAME_ALLOWED, required=True, in_path=True)
    shared: dict[str, Any] = {"scope": Scope.ADMIN, "rate": Rate.ADMIN}
    return [
        ApiRoute(method="GET", path="/api/admin/users", handler=handlers.users, answer=Users, params=(after, limit),
                 summary="All users.", **shared),
        ApiRoute(method="POST", path="/api/admin/users", handler=handlers.add_user, answer=User, body=NewUser,
                 summary="Makes a user.", refusals={409: "there is a user of that name"}, **shared),
        ApiRoute(method="POST", path="/api/admin/users/{userName}/disable", handler=handlers.disable_user, answer=User,
                 params=(name,), summary="Shuts a user out: his tokens hold no longer.",
                 refusals={404: "there is no such user", 409: "the user admin cannot be disabled"}, **shared),
    ]  # fmt: skip


def _token_management(handlers: _Handlers) -> list[ApiRoute]:
    user = pattern("user", "whose; others than oneself need the scope admin", USER_NAME_PATTERN, allowed=_NAME_ALLOWED)
    token_id = pattern("tokenId", "id of a token", _UUID, allowed="a uuid", required=True, in_path=True)
    shared: dict[str, Any] = {"scope": None, "rate": Rate.CHANGE}
    other = "the token lacks a scope: the one asked for, or admin for the tokens of others"
    return [
        ApiRoute(method="GET", path="/api/tokens", handler=handlers.tokens, answer=Tokens, params=(user,), scope=None,
                 summary="Tokens that are not revoked.", refusals={403: other, 404: "there is no such user"}),
        ApiRoute(method="POST", path="/api/tokens", handler=handlers.add_token, answer=MadeToken, body=NewToken,
                 summary="Makes a token, with scopes that the asking token has.",
                 refusals={403: other, 404: "there is no such user", 409: "the user has too many tokens"}, **shared),
        ApiRoute(method="DELETE", path="/api/tokens/{tokenId}", handler=handlers.revoke_token, answer=Revoked,
                 params=(token_id,), summary="Revokes a token.", refusals={404: "there is no such token"}, **shared),
    ]  # fmt: skip


def _user(row: UserRow) -> User:
    return User(**attrs.asdict(row))


def _token(row: TokenRow) -> Token:
    return Token(
        token_id=row.token_id,
        user_name=row.user_name,
        name=row.name,
        scopes=list(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
