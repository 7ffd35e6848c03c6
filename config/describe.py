"""The configuration as people read it: the table of all settings, a commented file, and the values in force."""

from collections.abc import Iterator
from typing import Any

import attrs

from config.field import Rule
from config.schema import EngineConfig
from config.secrets import Secret


@attrs.frozen(kw_only=True)
class SettingInfo:
    """One setting of the schema."""

    path: str
    default: Any
    allowed: str
    doc: str
    is_secret: bool
    kind: type
    """bool, int, float or str; `Secret` for a secret."""
    restart: bool
    """Whether a change waits for a restart."""

    @property
    def environment(self) -> str:
        """Returns the environment variable that sets it."""
        return "POLYCOPY_" + self.path.upper().replace(".", "__")


def settings() -> list[SettingInfo]:
    """Returns every setting in the order of the schema."""
    return list(_walk(EngineConfig(), ""))


def values(config: EngineConfig) -> dict[str, Any]:
    """Returns the values in force by path; a secret shows only whether it is set."""
    return {info.path: _shown(info.default) for info in _walk(config, "")}


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
        for info in _walk(shape(), f"{prefix}.NAME.")
    ]


def _free_shapes(cls: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for field in attrs.fields(cls):
        if field.metadata["kind"] == "free_sections":
            yield f"{prefix}{field.name}", field.metadata["shape"]
        elif field.metadata["kind"] == "section":
            yield from _free_shapes(field.type, f"{prefix}{field.name}.")


def _walk(value: Any, prefix: str) -> Iterator[SettingInfo]:
    for field in attrs.fields(type(value)):
        path = f"{prefix}{field.name}"
        current = getattr(value, field.name)
        kind = field.metadata["kind"]
        if kind == "section":
            yield from _walk(current, f"{path}.")
        elif kind in ("named_sections", "free_sections"):
            for name, inner in current.items():
                yield from _walk(inner, f"{path}.{name}.")
        else:
            rule: Rule = field.metadata["rule"]
            yield SettingInfo(
                path=path,
                default=current,
                allowed=rule.allowed,
                doc=field.metadata["doc"],
                is_secret=kind == "secret",
                kind=field.metadata["type"] if kind == "setting" else Secret,
                restart=field.metadata["restart"],
            )


def _shown(value: Any) -> Any:
    return "(set)" if isinstance(value, Secret) else value


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value:g}" if isinstance(value, float) else str(value)
