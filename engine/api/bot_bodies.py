"""What the routes of strategies take and answer. Settings have their snake_case names, the rest is camelCase."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from engine.api.route import Struct
from engine.api.setting_answers import SettingAnswer
from engine.api.text_fields import text_field
from protocols.strategies import WALLET_ID_PATTERN
from protocols.users import USER_NAME_PATTERN

# More than there are; a document of a million wrong names would be answered with as many messages.
SETTINGS_MAX = 200
WALLET_ID_ALLOWED = "1 to 64 letters, digits and _ . -, beginning with a letter or digit"
# (?!\n): a $ alone also matches before a line break at the end.
WalletId = Annotated[str, text_field(WALLET_ID_PATTERN, WALLET_ID_ALLOWED)]
Prefix = Annotated[str, msgspec.Meta(max_length=64)]
UserName = Annotated[str, msgspec.Meta(pattern=f"^{USER_NAME_PATTERN}(?!\\n)$")]
Version = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
SettingsDocument = Annotated[
    dict[str, Any],
    msgspec.Meta(
        max_length=SETTINGS_MAX,
        description="settings by their names in snake_case, see GET /api/ft/settings; null switches a gate off",
    ),
]


class NewStrategies(Struct):
    """One strategy, or all strategies of a template: exactly one of `walletId` and `template` is given."""

    wallet_id: WalletId | None = None
    template: str | None = None
    prefix: Prefix = ""
    """In front of the names of a template."""
    settings: SettingsDocument = msgspec.field(default_factory=dict)
    """What differs from the defaults, or from the template."""
    user_name: UserName | None = None
    """Whose; others than oneself need the scope admin."""


class ChangedSettings(Struct):
    """What becomes different; settings that are not named stay."""

    settings: SettingsDocument
    version: Version | None = None
    """The version that the change was thought out for: 409 when it is another one by now. Null: whichever it is."""


class StrategyAnswer(Struct):
    """A strategy with every setting."""

    wallet_id: str
    number: int
    owner_id: str
    version: int
    settings: SettingsDocument
    warnings: list[str]
    """What is allowed and probably not meant."""


class MadeStrategies(Struct):
    """Strategies that were made."""

    strategies: list[StrategyAnswer]


class ArchivedStrategy(Struct):
    """A strategy that copies nothing more. Its name is not free again."""

    wallet_id: str
    version: int


class VersionAnswer(Struct):
    """One version as it was kept."""

    version: int
    settings: SettingsDocument
    changed_by: str
    changed_at: datetime


class VersionPage(Struct):
    """A page of versions, newest first."""

    versions: list[VersionAnswer]
    next_before: int | None
    """`before` of the next page; null when this is the last one."""


class TemplateBot(Struct):
    """One strategy of a template."""

    wallet_id: str
    settings: SettingsDocument


class TemplateAnswer(Struct):
    """A family of strategies that is ready to be made."""

    name: str
    description: str
    bots: list[TemplateBot]


class TemplatesAnswer(Struct):
    """All families."""

    templates: list[TemplateAnswer]


class SettingsAnswer(Struct):
    """Every setting."""

    settings: list[SettingAnswer]
