"""How people write a trader: a wallet, a profile address of the venue, an @name; alone or one a line in a file."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote, urlsplit

import attrs

from engine.cli.terminal import plain

HOSTS = frozenset({"polymarket.com", "www.polymarket.com"})
NAME_CHARS_MAX = 200
_WALLET = re.compile(r"0[xX][0-9a-fA-F]{40}")
_HEX = re.compile(r"0[xX]([0-9a-fA-F]+)")
_ALLOWED = "a wallet (0x and 40 hex digits), a profile address or an @name"


class WalletFormError(Exception):
    """A text that names no trader; the message says why."""


@attrs.frozen
class Trader:
    """One trader as somebody wrote it: a wallet in lower case, or a profile name that must be looked up."""

    wallet: str | None = None
    name: str | None = None


@attrs.frozen(kw_only=True)
class Entry:
    """A trader and where it was written, for error messages."""

    trader: Trader
    origin: str


def parse_trader(text: str) -> Trader:
    """Returns the trader that a text names. Raises `WalletFormError`."""
    text = text.strip()
    if _WALLET.fullmatch(text):
        return Trader(wallet=text.lower())
    if text.startswith("@"):
        return _named(text[1:])
    if "/" in text:
        return _in_address(text)
    if found := _HEX.fullmatch(text):
        raise WalletFormError(f"has {len(found[1])} hex digits; a wallet has 40")
    raise WalletFormError(f"is not {_ALLOWED}")


def parse_lines(data: bytes, file_name: str) -> tuple[list[Entry], list[str]]:
    """Returns the traders of a file and its problems, all of them, with line numbers.

    One trader a line. Blank lines and what follows a `#` at the start of a word are ignored.
    """
    entries: list[Entry] = []
    problems: list[str] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        origin = f"{file_name}:{number}"
        try:
            text = re.split(r"(?:^|\s)#", line.decode("utf-8"), maxsplit=1)[0].strip()
            if text:
                entries.append(Entry(trader=parse_trader(text), origin=origin))
        except UnicodeDecodeError:
            problems.append(f"{origin}: is not UTF-8 text")
        except WalletFormError as error:
            problems.append(f"{origin}: {plain(text, 80)}: {error}")
    return entries, problems


def parse_arguments(texts: Sequence[str]) -> tuple[list[Entry], list[str]]:
    """Returns the traders named on the command line and the problems, all of them."""
    entries: list[Entry] = []
    problems: list[str] = []
    for text in texts:
        try:
            entries.append(Entry(trader=parse_trader(text), origin=plain(text, 80)))
        except WalletFormError as error:
            problems.append(f"{plain(text, 80)}: {error}")
    return entries, problems


def _in_address(text: str) -> Trader:
    """`polymarket.com/profile/0x…`, `/profile/@name`, `/profile/%40name`, `/@name`; a language may stand before."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host = parts.hostname
    except ValueError:
        raise WalletFormError("is not an address that can be read") from None
    if parts.scheme not in ("http", "https") or host not in HOSTS:
        raise WalletFormError(f"is not an address of polymarket.com; give {_ALLOWED}")
    for segment in _profile_segments(parts.path):
        if _WALLET.fullmatch(segment):
            return Trader(wallet=segment.lower())
        return _named(segment.removeprefix("@"))
    raise WalletFormError("is not the address of a profile")


def _profile_segments(path: str) -> Iterator[str]:
    segments = [unquote(segment) for segment in path.split("/") if segment]
    for place, segment in enumerate(segments):
        if segment == "profile" and place + 1 < len(segments):
            yield segments[place + 1]
        elif segment.startswith("@"):
            yield segment


def _named(name: str) -> Trader:
    name = name.strip()
    if not name or len(name) > NAME_CHARS_MAX or not name.isprintable():
        raise WalletFormError(f"a name has 1 to {NAME_CHARS_MAX} printable characters")
    if _WALLET.fullmatch(name):
        return Trader(wallet=name.lower())
    return Trader(name=name)
