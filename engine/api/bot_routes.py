"""Strategies of forward testing: make, change, put away, look at their versions.

Settings are written as in TOML files and columns: snake_case names, decimals as texts or numbers. The rest is camelCase.
"""

import re
from functools import cache
from typing import Any

import attrs

from config.strategy_settings import SettingsError, document_of, settings_from, warnings_of
from config.strategy_template import Template, templates
from engine.adapters.postgres.strategy_store import StrategyConflictError, StrategyStore
from engine.api.answer import encode
from engine.api.bot_bodies import (
    WALLET_ID_ALLOWED,
    ArchivedStrategy,
    ChangedSettings,
    MadeStrategies,
    NewStrategies,
    SettingsAnswer,
    StrategyAnswer,
    TemplateAnswer,
    TemplateBot,
    TemplatesAnswer,
    VersionAnswer,
    VersionPage,
)
from engine.api.errors import ApiError, bad_field, bad_fields, forbidden, not_found
from engine.api.params import pattern, whole
from engine.api.route import ApiRoute, Call, Rate
from engine.api.setting_answers import setting_answers
from protocols.strategies import WALLET_ID_PATTERN, Strategy, StrategySettings
from protocols.users import Scope

VERSIONS_PAGE_MAX = 200
# One list of wallets at its longest; the server takes no longer ones either.
BODY_BYTES_MAX = 1 << 20
PATCH_ATTEMPTS = 3
_NAME = re.compile(WALLET_ID_PATTERN, re.ASCII)


@attrs.define(eq=False)
class _Handlers:
    store: StrategyStore

    async def create(self, call: Call) -> MadeStrategies:
        wanted = _wanted(call.body)
        owner_id = await self._owner(call)
        try:
            made = await self.store.create(wanted, owner_id, call.principal.user_name)
        except StrategyConflictError as error:
            raise ApiError(409, "strategy_exists", f"{error}; none was made") from None
        return MadeStrategies(strategies=[_answer(strategy) for strategy in made])

    async def change(self, call: Call) -> StrategyAnswer:
        body: ChangedSettings = call.body
        attempt = 0
        while True:
            attempt += 1
            before = await self._own(call)
            if body.version is not None and body.version != before.version:
                text = f"the strategy has version {before.version} by now"
                raise ApiError(409, "version_conflict", text, "version")
            try:
                wanted = settings_from(body.settings, before.settings)
            except SettingsError as error:
                raise _refused(error) from None
            try:
                return _answer(
                    await self.store.update(
                        before.wallet_id, wanted, version=before.version, by=call.principal.user_name
                    )
                )
            except StrategyConflictError as error:
                now = await self.store.get(before.wallet_id)
                moved = now is not None and now.version != before.version
                if body.version is not None or not moved or attempt == PATCH_ATTEMPTS:
                    code = "version_conflict" if moved else "strategy_conflict"
                    raise ApiError(409, code, str(error)) from None

    async def archive(self, call: Call) -> ArchivedStrategy:
        archived = await self.store.archive((await self._own(call)).wallet_id)
        if archived is None:
            raise _unknown()
        return ArchivedStrategy(wallet_id=archived.wallet_id, version=archived.version)

    async def versions(self, call: Call) -> VersionPage:
        strategy, limit = await self._own(call), call.params["limit"]
        rows = await self.store.versions(strategy.wallet_id, before=call.params["before"], rows_max=limit + 1)
        page = [VersionAnswer(**attrs.asdict(row)) for row in rows[:limit]]
        return VersionPage(versions=page, next_before=page[-1].version if len(rows) > limit else None)

    async def _own(self, call: Call) -> Strategy:
        """Returns the strategy of a path. Raises a 404, and a 403 when it is another user's."""
        strategy = await self.store.get(call.params["walletId"])
        if strategy is None:
            raise _unknown()
        if strategy.owner_id != call.principal.user_id and Scope.ADMIN not in call.principal.scopes:
            raise ApiError(403, "forbidden", "the strategy is another user's; the token lacks the scope admin")
        return strategy

    async def _owner(self, call: Call) -> str:
        name = call.body.user_name
        if name is None or name == call.principal.user_name:
            return call.principal.user_id
        if Scope.ADMIN not in call.principal.scopes:
            raise forbidden(Scope.ADMIN.value)
        user_id = await self.store.user_id(name)
        if user_id is None:
            raise not_found("unknown_user", "there is no such user")
        return user_id


async def _templates(_call: Call) -> bytes:
    return _templates_json()


async def _settings(_call: Call) -> SettingsAnswer:
    fields = attrs.fields_dict(StrategySettings)
    return SettingsAnswer(settings=setting_answers(fields, document_of(StrategySettings())))


def bot_routes(store: StrategyStore) -> list[ApiRoute]:
    """Returns the routes that make and change strategies. What belongs to another user needs the scope admin, too."""
    handlers = _Handlers(store)
    _templates_json()
    name = pattern(
        "walletId", "name of a strategy", WALLET_ID_PATTERN, allowed=WALLET_ID_ALLOWED, required=True, in_path=True
    )
    limit = whole("limit", "versions on a page", at_least=1, at_most=VERSIONS_PAGE_MAX, default=50)
    before = whole("before", "only versions before this one", at_least=1, at_most=2**31 - 1, default=2**31 - 1)
    path = "/api/ft/wallets"
    change: dict[str, Any] = {"scope": Scope.TRADE, "rate": Rate.CHANGE}
    take: dict[str, Any] = {**change, "body_bytes_max": BODY_BYTES_MAX}
    other = "the token lacks the scope, or the strategy is another user's"
    unknown = {403: other, 404: "there is no such strategy"}
    stale = {409: "the strategy has another version by now, or its starting balance may not change any more"}
    taken = {403: other, 404: "there is no such template or user", 409: "there is or was a strategy of that name"}
    return [
        ApiRoute(method="POST", path=path, handler=handlers.create, answer=MadeStrategies, body=NewStrategies,
                 summary="Makes a strategy, or all of a template: all of them or none.", refusals=taken, **take),
        ApiRoute(method="PATCH", path=path + "/{walletId}/settings", handler=handlers.change, answer=StrategyAnswer,
                 body=ChangedSettings, params=(name,), summary="Changes settings: a new version, unless nothing differs.",
                 refusals={**unknown, **stale}, **take),
        ApiRoute(method="DELETE", path=path + "/{walletId}", handler=handlers.archive, answer=ArchivedStrategy,
                 params=(name,), summary="Puts a strategy away; what is open is settled as ever.", refusals=unknown,
                 **change),
        ApiRoute(method="GET", path=path + "/{walletId}/versions", handler=handlers.versions, answer=VersionPage,
                 params=(name, limit, before), scope=Scope.READ, summary="Versions of a strategy, newest first.",
                 refusals=unknown),
        ApiRoute(method="GET", path="/api/ft/templates", handler=_templates, answer=TemplatesAnswer, scope=Scope.READ,
                 summary="Families of strategies that are ready to be made."),
        ApiRoute(method="GET", path="/api/ft/settings", handler=_settings, answer=SettingsAnswer, scope=Scope.READ,
                 summary="Every setting of a strategy: what is allowed, its default, its meaning."),
    ]  # fmt: skip


@cache
def _families() -> dict[str, Template]:
    return {one.name: one for one in templates()}


@cache
def _templates_json() -> bytes:
    found = [
        TemplateAnswer(
            name=one.name,
            description=one.description,
            bots=[TemplateBot(wallet_id=name, settings=document_of(settings)) for name, settings in one.bots],
        )
        for one in _families().values()
    ]
    return encode(TemplatesAnswer(templates=found))


def _wanted(body: NewStrategies) -> list[tuple[str, StrategySettings]]:
    """Returns names with settings. Raises a 400 that lists every field that is wrong, and a 404 for the template."""
    if body.wallet_id is not None:
        if body.template is not None or body.prefix:
            raise bad_field("template", "a template gives the names; walletId, or template with prefix")
        bases = [(body.wallet_id, StrategySettings())]
    elif body.template is None:
        raise bad_field("walletId", "is needed, or template")
    else:
        family = _families().get(body.template)
        if family is None:
            raise ApiError(404, "unknown_template", "there is no such template", "template")
        bases = [(body.prefix + name, settings) for name, settings in family.bots]
    problems = [("prefix", f"makes a name that is none: {WALLET_ID_ALLOWED}")]
    if all(_NAME.fullmatch(name) for name, _ in bases):
        problems = []
    wanted = []
    for name, base in bases:
        try:
            wanted.append((name, settings_from(body.settings, base)))
        except SettingsError as error:
            problems += _refused(error).problems
    if problems:
        raise bad_fields(list(dict.fromkeys(problems)))
    return wanted


def _answer(strategy: Strategy) -> StrategyAnswer:
    return StrategyAnswer(
        wallet_id=strategy.wallet_id,
        number=strategy.number,
        owner_id=strategy.owner_id,
        version=strategy.version,
        settings=document_of(strategy.settings),
        warnings=warnings_of(strategy.settings),
    )


def _refused(error: SettingsError) -> ApiError:
    return bad_fields([(f"settings.{one.field}", one.message) for one in error.problems])


def _unknown() -> ApiError:
    return not_found("unknown_strategy", "there is no such strategy")
