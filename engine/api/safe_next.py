"""Where a login may lead: only to pages of our own."""

from urllib.parse import unquote

HOME = "/"
CHARS_MAX = 1_024
_NEVER = ("/login", "/logout", "/api/")


def safe_next(path: str | None) -> str:
    """Returns the path, with its query, if it surely leads to a page of this engine, and the home page if not.

    Browsers read `//host`, `/\\host` and what they make of tabs and line breaks as another site. What a proxy that decodes
    once or twice would make of it has to be harmless as well.
    """
    if not path or len(path) > CHARS_MAX:
        return HOME
    text = path
    for _ in range(3):
        if not _is_own(text):
            return HOME
        text = unquote(text, errors="replace")
    return path if _is_own(text) and path.isascii() and " " not in path else HOME


def _is_own(text: str) -> bool:
    where = text.partition("?")[0].partition("#")[0]
    return (
        where.startswith("/")
        and "//" not in where
        and "\\" not in text
        and text.isprintable()
        and not where.startswith(_NEVER)
        and not {".", ".."} & set(where.split("/"))
    )
