"""Answers of the API that nobody gave: every field of every route's type filled, every text in them a text of the caller's.

A page drawn over them shows what it does with texts from outside, whatever the database has today, and a new page or a new
field is tried without anybody thinking of it.
"""

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import msgspec
from msgspec import inspect

from engine.api.answer import encode
from engine.api.route import ApiRoute, Call

AT = datetime(2026, 7, 23, 18, 3, 9, tzinfo=UTC)
Place = tuple[str, int]
ITEMS = 2
"""In each list."""
_TIME = re.compile(r"(at|slot|until|since|timestamp|date|day|at_utc|expires|end|start)$", re.IGNORECASE)
_ADDRESS_OF_PAGE = "/v2/feed"


@attrs.define(eq=False)
class MadeAnswers:
    """`texts` says what stands in which place; `given` is what did. `fixed` has what must be as it is, by name of the field.

    A place is a route and a number within its answers: pages ask several routes at the same time, in no order.
    """

    texts: Callable[[Place], str]
    fixed: Mapping[str, Any] = attrs.field(factory=dict)
    given: dict[Place, str] = attrs.field(factory=dict)
    _route: str = attrs.field(init=False, default="")

    def routes(self, routes: Sequence[ApiRoute], real: Sequence[str] = ()) -> list[ApiRoute]:
        """Returns the routes with made answers; those of `real` paths keep their handlers."""
        return [
            attrs.evolve(one, handler=self._handler(one)) if one.path not in real and not one.streams else one
            for one in routes
        ]

    def _handler(self, route: ApiRoute) -> Callable[[Call], Any]:
        async def handler(_call: Call) -> bytes:
            self._route = route.path
            return encode(self.value(inspect.type_info(route.answer), route.path))

        return handler

    def text(self, name: str) -> str:
        """Returns what a text field of this name has."""
        if name in self.fixed:
            return str(self.fixed[name])
        if _TIME.search(name):
            return AT.isoformat().replace("+00:00", "Z")
        place = (self._route, sum(route == self._route for route, _ in self.given))
        self.given[place] = self.texts(place)
        return self.given[place]

    def value(self, kind: Any, name: str) -> Any:
        """Returns something of a type that msgspec knows."""
        if name in self.fixed and not isinstance(kind, inspect.StrType):
            return self.fixed[name]
        match kind:
            case inspect.StrType() | inspect.UUIDType():
                return self.text(name)
            case inspect.AnyType():
                return self.text(name)
            case inspect.IntType():
                return 1_784_829_789_000 if name.endswith(("_ms", "Ms")) else 3
            case inspect.FloatType():
                return 0.5
            case inspect.DecimalType():
                return Decimal("0.42")
            case inspect.BoolType():
                return True
            case inspect.DateTimeType():
                return AT
            case inspect.DateType():
                return AT.date()
            case inspect.LiteralType(values=values):
                return values[0]
            case inspect.EnumType(cls=cls):
                first = next(iter(cls))
                return first.value if isinstance(first, enum.Enum) else first
            case inspect.UnionType(types=types):
                return self.value(next(one for one in types if not isinstance(one, inspect.NoneType)), name)
            case (
                inspect.ListType(item_type=item)
                | inspect.SetType(item_type=item)
                | inspect.CollectionType(item_type=item)
            ):
                return [self.value(item, name) for _ in range(ITEMS)]
            case inspect.VarTupleType(item_type=item):
                return [self.value(item, name) for _ in range(ITEMS)]
            case inspect.TupleType(item_types=items):
                return [self.value(item, name) for item in items]
            case inspect.DictType(key_type=keys, value_type=values):
                return {str(self.value(keys, "key")): self.value(values, "value")}
            case (
                inspect.StructType(fields=fields)
                | inspect.DataclassType(fields=fields)
                | inspect.TypedDictType(fields=fields)
            ):
                return {one.encode_name: self.value(one.type, one.encode_name) for one in fields}
            case inspect.Metadata(type=inner):
                return self.value(inner, name)
            case inspect.NoneType():
                return None
            case inspect.RawType():
                return msgspec.Raw(b"{}")
        raise AssertionError(f"{name}: {kind}")
