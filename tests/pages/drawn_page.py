"""What a browser got, and what its reader sees of it."""

from html import escape
from html.parser import HTMLParser

import attrs
import httpx


@attrs.frozen(kw_only=True)
class Drawn:
    """What a browser got."""

    status: int
    headers: httpx.Headers
    html: str

    @property
    def text(self) -> str:
        """What a reader sees, spaces as one."""
        parser = _Text()
        parser.feed(self.html)
        return " ".join("".join(parser.found).split())

    @property
    def elements(self) -> list[tuple[str, dict[str, str]]]:
        """Every element with its attributes, in the order of the page."""
        parser = _Text()
        parser.feed(self.html)
        return parser.elements

    def shows(self, value: str) -> bool:
        """Whether a value stands on the page as text, escaped if it has to be."""
        return escape(value, quote=False) in self.html.replace("&#34;", '"').replace("&#39;", "'")

    def is_harmless(self) -> bool:
        """Whether no markup of `HOSTILE` became elements, and nothing of it an attribute that runs."""
        names = {name for name, _ in self.elements}
        handlers = [key for _, attributes in self.elements for key in attributes if key.startswith("on")]
        links = [attributes.get(key, "") for _, attributes in self.elements for key in ("href", "src", "action")]
        inline = [one for one in self.elements if one[0] == "script" and "src" not in one[1]]
        return not handlers and not inline and "textarea" not in names and not any(map(_runs, links))


def _runs(link: str) -> bool:
    return link.strip().lower().startswith(("javascript:", "data:", "vbscript:"))


class _Text(HTMLParser):
    """Collects text and elements; what a browser does not show is left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.found.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.found.append(" ")

    def handle_data(self, data: str) -> None:
        self.found.append(data)
