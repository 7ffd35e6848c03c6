"""What a piece of HTML is made of, in order, and whether another text in it left that as it was."""

import re
from collections.abc import Callable, Mapping
from html import unescape
from html.parser import HTMLParser

import attrs

from engine.pages.charts.markup import words
from engine.pages.formats import short_wallet

MARK = re.compile(r"(Q[0-9]+q)")
"""What a text is called in the plain page: short, and left alone by every transform below."""
OWN = ("/", "?", "#", "https://polymarket.com/event/")
"""How addresses of ours begin."""
ADDRESSES = frozenset({"href", "src", "action", "formaction", "data-api", "data-drawer", "data-then", "data-path"})
TRANSFORMS: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    short_wallet,
    lambda text: unescape(words(text)),
    lambda text: text[:160],
    lambda text: text[:120],
    str.capitalize,
    lambda text: text[:1].upper() + text[1:],
    lambda text: text.replace("_", " "),
    lambda text: text.replace("_", " ").capitalize(),
)
"""What templates do to a text on purpose."""


@attrs.define
class Piece:
    """A start tag with its attributes, an end tag, or a text."""

    kind: str
    name: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = ""

    @property
    def shape(self) -> tuple[str, str, tuple[str, ...]]:
        """Without what its texts are."""
        return self.kind, self.name, tuple(key for key, _ in self.attributes)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[Piece] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pieces.append(Piece("start", tag, tuple((key, value or "") for key, value in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.pieces.append(Piece("end", tag))

    def handle_data(self, data: str) -> None:
        if self.pieces and self.pieces[-1].kind == "text":
            self.pieces[-1].text += data
        else:
            self.pieces.append(Piece("text", text=data))

    def handle_comment(self, data: str) -> None:
        self.pieces.append(Piece("comment", text=data))

    def handle_decl(self, decl: str) -> None:
        self.pieces.append(Piece("declaration", text=decl))

    def handle_pi(self, data: str) -> None:
        self.pieces.append(Piece("instruction", text=data))

    def unknown_decl(self, data: str) -> None:
        self.pieces.append(Piece("unknown", text=data))


def pieces_of(html: str) -> list[Piece]:
    """Returns the pieces of a page, texts that stand together as one."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.pieces


def text_of(html: str) -> str:
    """Returns every text of a page, as it stands there."""
    return "".join(piece.text for piece in pieces_of(html) if piece.kind == "text")


def assert_same_shape(plain: str, hostile: str, texts: Mapping[str, str]) -> set[str]:
    """Asserts that `hostile` is `plain` with each mark replaced by its text, and nothing else.

    No element, attribute or comment more or less. Returns the texts of which all was seen.
    """
    before, after = pieces_of(plain), pieces_of(hostile)
    for one, other in zip(before, after, strict=False):
        assert one.shape == other.shape, (one, other)
    assert len(before) == len(after)
    seen = set[str]()
    for one, other in zip(before, after, strict=True):
        if one.kind == "text":
            seen |= _replaced(one.text, other.text, texts)
        for (key, value), (_, changed) in zip(one.attributes, other.attributes, strict=True):
            assert not key.startswith("on"), key
            assert key != "style", one
            if key in ADDRESSES:
                _leads_where_it_did(key, value, changed)
    return seen


def _replaced(plain: str, hostile: str, texts: Mapping[str, str]) -> set[str]:
    """Returns the texts of which all stands in `hostile`, where their marks stand in `plain`."""
    parts = MARK.split(plain)
    if len(parts) == 1:
        return set()
    given = [texts[mark] for mark in parts[1::2]]
    pattern = re.escape(parts[0])
    for text, after in zip(given, parts[2::2], strict=True):
        choices = dict.fromkeys(re.escape(transform(text)) for transform in TRANSFORMS)
        pattern += f"({'|'.join(choices)}){re.escape(after)}"
    match = re.fullmatch(pattern, hostile)
    if match is None:
        # In a drawing the sentence as a whole is cut.
        assert hostile == unescape(words(MARK.sub(lambda mark: texts[mark[0]], plain))), (plain, hostile)
        return set()
    return {text for text, found in zip(given, match.groups(), strict=True) if text == found}


def _leads_where_it_did(key: str, plain: str, hostile: str) -> None:
    """An address begins with what is ours, so that no text chooses a scheme or a host."""
    first = MARK.search(plain)
    if first is None:
        return
    own = plain[: first.start()]
    where = own.partition(" ")[2] if key == "data-api" else own
    assert where != "/", (key, plain)
    assert where.startswith(OWN), (key, plain)
    assert hostile.startswith(own), (key, hostile)
