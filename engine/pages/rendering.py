"""Templates to HTML. Everything that comes from outside is escaped; there is no way to switch that off in a template."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio
from markupsafe import Markup

from engine.pages import formats
from engine.pages.static_files import StaticFiles
from protocols.clock import WallClock

if TYPE_CHECKING:
    from jinja2 import Environment

DIRECTORY = Path(__file__).parent / "templates"


@attrs.define(eq=False)
class Renderer:
    """The templates of the pages with their filters.

    Jinja takes 5 MB and a template some milliseconds to compile: an engine whose pages nobody opens does without it, and one
    that copies trades compiles in a thread, so that no trade waits for a page.
    """

    static: StaticFiles
    clock: WallClock
    _environment: "Environment | None" = attrs.field(init=False, default=None)
    _compiled: set[str] = attrs.field(init=False, factory=set)
    _compiling: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    @property
    def environment(self) -> "Environment":
        """The templates, loaded when they are asked for first."""
        if self._environment is None:
            self._environment = self._made()
        return self._environment

    async def prepare(self, template: str) -> None:
        """Compiles a template with all that it includes, unless that was done before. Raises what Jinja raises."""
        if template not in self._compiled:
            async with self._compiling:
                await trio.to_thread.run_sync(self._compile, template)

    def page(self, template: str, context: Mapping[str, Any]) -> str:
        """Returns a whole page or a part of one. Raises what Jinja raises for a name that is missing."""
        return self.environment.get_template(template).render(context)

    def when(self, value: str | int | None, missing: str = formats.UNKNOWN) -> str | Markup:
        """Returns a `time` element: how long ago, with the exact time on hover. A module of ours keeps it true."""
        at_ms = formats.time_ms(value)
        if at_ms is None:
            return missing
        text = formats.ago(self.clock.now_ms() - at_ms)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            formats.machine_time(at_ms), formats.exact_time(at_ms), text
        )

    def _compile(self, template: str) -> None:
        from jinja2 import meta

        environment, waiting = self.environment, [template]
        while waiting:
            name = waiting.pop()
            if name in self._compiled:
                continue
            environment.get_template(name)
            self._compiled.add(name)
            tree = environment.parse((DIRECTORY / name).read_text())
            waiting += [each for each in meta.find_referenced_templates(tree) if each is not None]

    def _made(self) -> "Environment":
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(DIRECTORY),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=200,
            auto_reload=False,
        )
        environment.filters |= {
            "usd": formats.usd,
            "signed_usd": formats.signed_usd,
            "cents": formats.cents,
            "shares": formats.shares,
            "percent": formats.percent,
            "percent_of_100": formats.percent_of_100,
            "count": formats.count,
            "memory": formats.size_of_memory,
            "seconds": formats.seconds,
            "wallet": formats.short_wallet,
            "tone": formats.tone,
            "when": self.when,
        }
        environment.globals |= {"market_link": formats.market_link, "static": self.static.url}
        environment.globals |= {"UNMARKED": formats.UNMARKED, "UNKNOWN": formats.UNKNOWN}
        return environment
