"""Every page that there is, in the order of the navigation."""

from engine.pages.bot_pages import bot_pages
from engine.pages.discover_pages import discover_pages
from engine.pages.engine_pages import engine_pages
from engine.pages.feed_pages import feed_pages
from engine.pages.ft_pages import ft_pages
from engine.pages.job_pages import job_pages
from engine.pages.live_pages import live_pages
from engine.pages.log_pages import log_pages
from engine.pages.model_pages import model_pages
from engine.pages.page import Page
from engine.pages.plan_page import plan_pages
from engine.pages.portfolio_pages import portfolio_pages
from engine.pages.settings_pages import settings_pages
from engine.pages.trader_pages import trader_pages


def all_pages() -> list[Page]:
    """Returns the pages. Their addresses are unlike each other."""
    return [
        *feed_pages(),
        *bot_pages(),
        *plan_pages(),
        *ft_pages(),
        # Before the live pages, of which one takes any word after /lt/.
        *log_pages(),
        *live_pages(),
        *portfolio_pages(),
        *discover_pages(),
        *trader_pages(),
        *job_pages(),
        *engine_pages(),
        *model_pages(),
        *settings_pages(),
    ]
