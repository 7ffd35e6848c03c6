"""Templates to HTML. Everything that comes from outside is escaped; there is no way to switch that off in a template."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from engine.pages import formats
from engine.pages.static_files import StaticFiles
from protocols.clock import WallClock

DIRECTORY = Path(__file__).parent / "templates"


@attrs.frozen(eq=False)
class Renderer:
    """The templates of the pages with their filters."""

    environment: Environment
    clock: WallClock

    @classmethod
    def open(cls, static: StaticFiles, clock: WallClock) -> "Renderer":
        """Returns a renderer over the templates of this package."""
        environment = Environment(
            loader=FileSystemLoader(DIRECTORY),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=200,
            auto_reload=False,
        )
        renderer = cls(environment, clock)
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
            "when": renderer.when,
        }
        environment.globals |= {"market_link": formats.market_link}
        environment.globals |= {"static": static.url, "UNMARKED": formats.UNMARKED, "UNKNOWN": formats.UNKNOWN}
        return renderer

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
