"""What an API answers when it does not do what was asked."""

from collections.abc import Sequence

import attrs

PROBLEMS_IN_MESSAGE = 10


@attrs.define(eq=False)
class ApiError(Exception):
    """A refusal that the client can act on. `field` names what was wrong with the request."""

    status: int
    code: str
    """Stable word for programs, such as `bad_request` or `unknown_market`."""
    message: str
    """A sentence for people; never a secret, never a traceback."""
    field: str | None = None
    retry_after_s: float | None = None
    problems: Sequence[tuple[str, str]] = ()
    """Field and message of each thing that was wrong, where several were looked for at once."""

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


def bad_field(field: str, message: str) -> ApiError:
    """Returns a 400 that names the field."""
    return ApiError(400, "bad_request", f"{field}: {message}", field)


def bad_fields(problems: Sequence[tuple[str, str]]) -> ApiError:
    """Returns a 400 that lists several fields with what is wrong with each; the first one is its `field`."""
    message = "; ".join(f"{field}: {text}" for field, text in problems[:PROBLEMS_IN_MESSAGE])
    if len(problems) > PROBLEMS_IN_MESSAGE:
        message += f"; and {len(problems) - PROBLEMS_IN_MESSAGE} more"
    return ApiError(400, "bad_request", message, problems[0][0], problems=problems)


def not_found(code: str, message: str) -> ApiError:
    """Returns a 404 with a reason."""
    return ApiError(404, code, message)


def unauthorized() -> ApiError:
    """Returns the one answer to a missing, malformed, unknown, expired or revoked token."""
    return ApiError(401, "unauthorized", "a valid bearer token is needed")


def forbidden(scope: str) -> ApiError:
    """Returns a 403 that names the scope that is missing."""
    return ApiError(403, "forbidden", f"the token lacks the scope {scope}")


STARTING = ApiError(503, "starting", "the engine has not reached its database yet", None, 2.0)


def not_served(roles: Sequence[str]) -> ApiError:
    """Returns the 503 of an engine that was not started to serve anybody."""
    does = ", ".join(sorted(roles))
    return ApiError(503, "not_served_here", f"this engine serves no API and no pages, its roles are: {does}")


def unavailable(message: str, retry_after_s: float = 1.0) -> ApiError:
    """Returns a 503: the same request may succeed later."""
    return ApiError(503, "unavailable", message, None, retry_after_s)
