"""The families of strategies that come with the program, ready to be made."""

from importlib import resources

import attrs

from config.strategy_files import entries_from_toml, settings_of_entries
from protocols.strategies import StrategySettings

FOLDER = "strategy_templates"


@attrs.frozen(kw_only=True)
class Template:
    """A family of strategies."""

    name: str
    description: str
    bots: tuple[tuple[str, StrategySettings], ...]
    """Names with settings, in the order of the file."""


def templates() -> list[Template]:
    """Returns all families in the order of their names."""
    folder = resources.files("config") / FOLDER
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return [_template(entry.name.removesuffix(".toml"), entry.read_text("utf-8")) for entry in files]


def template(name: str) -> Template | None:
    """Returns one family, or None."""
    return next((one for one in templates() if one.name == name), None)


def _template(name: str, text: str) -> Template:
    # The first comment says what the family is for.
    description = text.partition("\n")[0].removeprefix("#").strip().rstrip(".")
    return Template(name=name, description=description, bots=tuple(settings_of_entries(entries_from_toml(text))))
