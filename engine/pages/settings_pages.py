"""What a user sets for himself: what he is told, his defaults, password, sessions and tokens; and users, for administrators."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from engine.pages.page import Page, Visit
from protocols.users import Scope

NOTICES = 20
USERS_ON_A_PAGE = 100
KINDS = (
    ("marketResolves", "A market that I copied in is resolved"),
    ("traderClosesPosition", "A trader closes a position that I copied"),
    ("autoClose", "A copy was closed by itself, or could not be"),
    ("orderFilled", "An order was filled"),
    ("orderRejected", "An order was rejected"),
    ("orderLost", "Nobody knows what became of an order"),
    ("strategyHalted", "A strategy was halted"),
    ("drift", "Our books and the account differ"),
    ("dailySummary", "A summary of each day"),
)
"""Fields of the preferences, and what they mean."""


def settings_pages() -> list[Page]:
    """Returns the pages of settings."""
    return [
        Page(path="/settings", template="settings.html", title="Settings", nav="settings", load=_settings),
        Page(path="/settings/notices", template="notices.html", title="Notices", nav="settings", load=_notices),
        Page(path="/settings/access", template="access.html", title="Access", nav="settings", load=_access),
        Page(path="/users", template="users.html", title="Users", nav="users", load=_users, scope=Scope.ADMIN),
    ]


async def _settings(visit: Visit) -> Mapping[str, Any]:
    return {
        "preferences": await visit.ask("/api/notifications/preferences"),
        "kinds": KINDS,
        "zones": sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC"),
        "notices": await visit.part("/api/notifications", limit=5),
    }


async def _notices(visit: Visit) -> Mapping[str, Any]:
    return {"notices": await visit.ask("/api/notifications", limit=NOTICES, before=visit.query.get("before"))}


async def _access(visit: Visit) -> Mapping[str, Any]:
    return {
        "sessions": (await visit.ask("/api/sessions"))["sessions"],
        "tokens": (await visit.ask("/api/tokens"))["tokens"],
        "scopes": [scope.value for scope in Scope if scope in visit.principal.scopes],
    }


async def _users(visit: Visit) -> Mapping[str, Any]:
    return {"users": await visit.ask("/api/admin/users", limit=USERS_ON_A_PAGE, after=visit.query.get("after"))}
