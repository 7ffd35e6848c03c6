"""The configuration as people read it: the table of all settings, a commented file, and the values in force."""

from collections.abc import Iterator
from typing import Any

import attrs

from config.field import Rule
from config.schema import EngineConfig
from config.secrets import Secret

# Longer endings first.
_UNITS = {
    "_per_minute": "a minute",
    "_per_s": "a second",
    "_ms": "ms",
    "_s": "s",
    "_days": "days",
    "_mb": "MB",
    "_bytes": "bytes",
    "_ratio": "ratio",
}


@attrs.frozen(kw_only=True)
class SettingInfo:
    """One setting of the schema."""

    path: str
    default: Any
    rule: Rule
    doc: str
    kind: type
    """bool, int, float or str; `Secret` for a secret."""
    restart: bool
    """Whether a change waits for a restart."""

    @property
    def allowed(self) -> str:
        """Returns what is allowed, in words."""
        return self.rule.allowed

    @property
    def is_secret(self) -> bool:
        """Returns whether its value is never shown."""
        return self.kind is Secret

    @property
    def section(self) -> str:
        """Returns the table of the file in which it stands."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Returns its name within the section."""
        return self.path.rpartition(".")[2]

    @property
    def unit(self) -> str | None:
        """Returns the unit, which stands at the end of the name; None for a number of things, a word or a switch."""
        if self.kind not in (int, float):
            return None
        name = self.name.removesuffix("_max")
        return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), None)

    @property
    def environment(self) -> str:
        """Returns the environment variable that sets it."""
        return "POLYCOPY_" + self.path.upper().replace(".", "__")


def settings() -> list[SettingInfo]:
    """Returns every setting in the order of the schema."""
    return [info for info, _ in _walk(EngineConfig(), EngineConfig(), "")]


def settings_of(config: EngineConfig) -> list[tuple[SettingInfo, Any]]:
    """Returns every setting of a configuration with its value; a secret shows only whether it is set.

    Beyond the schema there are those of groups whose names the operator chose.
    """
    return [(info, _shown(value)) for info, value in _walk(config, EngineConfig(), "")]


def values(config: EngineConfig) -> dict[str, Any]:
    """Returns the values in force by path; a secret shows only whether it is set."""
    return {info.path: value for info, value in settings_of(config)}


def toml_template() -> str:
    """Returns a `polycopy.toml` in which every setting stands commented out with its default, range and meaning."""
    lines = [
        "# Polycopy configuration. Every line that is commented out shows the default.",
        "# Precedence: command line, environment (POLYCOPY_SECTION__KEY), this file, default.",
    ]
    section = ""
    for info in settings():
        head, _, name = info.path.rpartition(".")
        if head != section:
            section = head
            lines += ["", f"[{section}]"]
        lines.append(f"# {info.doc}; {info.allowed}")
        lines.append(f'# {name}_file = ""' if info.is_secret else f"# {name} = {_toml(info.default)}")
    for path, info in free_settings():
        head, _, name = path.rpartition(".")
        if head != section:
            section = head
            lines += ["", f"# [{section}]"]
        lines.append(f"#   {info.doc}; {info.allowed}")
        lines.append(f'#   {name}_file = ""' if info.is_secret else f"#   {name} = {_toml(info.default)}")
    return "\n".join(lines) + "\n"


def free_settings() -> list[tuple[str, SettingInfo]]:
    """Returns the settings of groups whose names the operator chooses, as one named `NAME` would have them."""
    return [
        (info.path, info)
        for prefix, shape in _free_shapes(EngineConfig, "")
        for info, _ in _walk(shape(), shape(), f"{prefix}.NAME.")
    ]


def _free_shapes(cls: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for field in attrs.fields(cls):
        if field.metadata["kind"] == "free_sections":
            yield f"{prefix}{field.name}", field.metadata["shape"]
        elif field.metadata["kind"] == "section":
            yield from _free_shapes(field.type, f"{prefix}{field.name}.")


def _walk(value: Any, default: Any, prefix: str) -> Iterator[tuple[SettingInfo, Any]]:
    for field in attrs.fields(type(value)):
        path = f"{prefix}{field.name}"
        current, usual = getattr(value, field.name), getattr(default, field.name)
        metadata = field.metadata
        if metadata["kind"] == "section":
            yield from _walk(current, usual, f"{path}.")
        elif metadata["kind"] in ("named_sections", "free_sections"):
            for name, inner in current.items():
                yield from _walk(inner, usual[name] if name in usual else type(inner)(), f"{path}.{name}.")
        else:
            info = SettingInfo(
                path=path,
                default=usual,
                rule=metadata["rule"],
                doc=metadata["doc"],
                kind=metadata.get("type", Secret),
                restart=metadata["restart"],
            )
            yield info, current


def _shown(value: Any) -> Any:
    return "(set)" if isinstance(value, Secret) else value


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value:g}" if isinstance(value, float) else str(value)
