"""Who opens a page: the bearer of a session's cookie."""

from collections.abc import Callable

import attrs
from starlette.requests import cookie_parser

from engine.pages.page import Visitor
from engine.web.asgi_cycle import Scope
from protocols.users import Principal, token_digest

COOKIE = "polycopy_session"


@attrs.frozen(eq=False)
class Doorman:
    """Finds the session of a request."""

    find: Callable[[bytes], Principal | None]

    def visitor(self, scope: Scope) -> Visitor | None:
        """Returns who asks, or None."""
        for name, value in scope["headers"]:
            if name == b"cookie":
                token = cookie_parser(value.decode("latin-1")).get(COOKIE)
                principal = None if token is None else self.find(token_digest(token.encode()))
                if principal is not None:
                    return Visitor(principal=principal, csrf_token="")
        return None
