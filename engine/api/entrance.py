"""What pages need to let people in and out, put together."""

import attrs

from actors.web_login import WebLogin
from engine.api.browser import BrowserDoor
from engine.api.form_tokens import FormTokens


@attrs.frozen(eq=False, kw_only=True)
class Entrance:
    """Is there while the database is, beside the services."""

    login: WebLogin
    door: BrowserDoor
    forms: FormTokens
