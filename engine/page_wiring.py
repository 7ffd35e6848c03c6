"""Puts the pages together with the engine that they show."""

from urllib.parse import urlsplit

from config.login_urls import is_loopback
from engine.api.errors import STARTING, not_served
from engine.pages.mount import LiveBanner, PageMount
from engine.pages.page import Page
from engine.pages.rendering import Renderer
from engine.pages.static_files import StaticFiles
from engine.running import Engine
from protocols.clock import WallClock
from protocols.cluster import Role


def page_mount(engine: Engine, clock: WallClock) -> PageMount:
    """Returns the pages of an engine, which serve nothing before they are installed. Raises `OSError`."""
    static = StaticFiles.read()
    closed = STARTING if Role.API in engine.roles else not_served(sorted(engine.roles))
    return PageMount(renderer=Renderer(static, clock), static=static, live=lambda: _banner(engine), closed=closed)


def _banner(engine: Engine) -> LiveBanner | None:
    """What the executor itself trades with; the configuration only says what was wished."""
    live = engine.live
    if live is None:
        return None
    halt = live.book.registry.table.halt
    return LiveBanner(
        accounts=tuple(sorted(engine.config.live.accounts)),
        is_simulated=is_loopback(urlsplit(engine.config.venue.clob_url).hostname or ""),
        halt=None if halt is None else f"{halt.reason} ({halt.by})",
    )


def every_page() -> list[Page]:
    """Returns all pages; loads what draws them."""
    from engine.pages.site import all_pages

    return all_pages()
