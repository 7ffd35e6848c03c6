"""The project's Markdown pages, as far as tests look into them."""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
_SKIPPED = {".venv", ".git", "node_modules", "build", "dist", ".hypothesis", ".pytest_cache"}
_FENCE = re.compile(r"^(\s*)(`{3,})(\S*)\s*$")


@attrs.frozen
class Block:
    """A fenced block."""

    language: str
    text: str
    line: int


@attrs.frozen
class Page:
    """A page, its fenced blocks apart from its prose."""

    path: Path
    prose: str
    blocks: tuple[Block, ...]
    is_closed: bool
    """Every fence that was opened is closed."""

    @property
    def name(self) -> str:
        """Returns its path from the root of the project."""
        return self.path.relative_to(ROOT).as_posix()

    def anchors(self) -> list[str]:
        """Returns what its headings are linked by, the way GitHub makes them."""
        seen: dict[str, int] = {}
        found = []
        for title in re.findall(r"^#{1,6} (.*?)\s*$", self.prose, re.MULTILINE):
            anchor = re.sub(r"[^\w -]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()).replace(" ", "-")
            number = seen.get(anchor, 0)
            seen[anchor] = number + 1
            found.append(f"{anchor}-{number}" if number else anchor)
        return found

    def links(self) -> list[str]:
        """Returns the targets of its links, without those in code."""
        return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "`code`", self.prose))

    def inline_code(self) -> list[str]:
        """Returns everything between single backticks, also over the end of a line."""
        return [" ".join(text.split()) for text in re.findall(r"`([^`]+)`", self.prose)]


def page_of(path: Path) -> Page:
    """Returns a page, read."""
    prose: list[str] = []
    blocks: list[Block] = []
    language, opened, inside = "", 0, None
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if inside is not None:
            if fence and not fence[3]:
                blocks.append(Block(language, "\n".join(inside), opened))
                inside = None
            else:
                inside.append(line)
        elif fence:
            language, opened, inside = fence[3], number, []
        else:
            prose.append(line)
    return Page(path, "\n".join(prose), tuple(blocks), inside is None)


def pages() -> list[Page]:
    """Returns every page of the project."""
    return [page_of(path) for path in sorted(_files(ROOT))]


def _files(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in _SKIPPED:
            yield from _files(entry)
        elif entry.suffix == ".md":
            yield entry
