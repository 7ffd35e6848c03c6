"""What a section of the configuration is about: the docstring of its class."""

import inspect
from typing import Any

import attrs


def section_meaning(cls: Any, path: str) -> str:
    """Returns the docstring of the section at `path`, where `NAME` stands for a name that is given or chosen.

    Raises `KeyError` when there is no such section.
    """
    for name in path.split("."):
        if name != "NAME":
            cls = _shape(attrs.fields_dict(cls)[name])
    return inspect.cleandoc(cls.__doc__ or "")


def _shape(field: "attrs.Attribute[Any]") -> Any:
    kind = field.metadata["kind"]
    if kind == "section":
        return field.type
    if kind == "free_sections":
        return field.metadata["shape"]
    defaults: Any = field.default
    return type(next(iter(defaults.factory().values())))
