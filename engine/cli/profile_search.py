"""Finds the wallet behind a profile name, by Gamma's `/public-search` (venue.md §3.1)."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from config.schema import VenueConfig
from engine.adapters.upstream import Params, Upstream, open_upstream
from engine.cli.terminal import plain
from engine.runtime.traffic import Traffic
from protocols.errors import MalformedError, TransientError
from protocols.text import storable_or_none
from protocols.venue.strict_json import read_object

# The published limit is 350 in 10 s (venue.md §6).
RATE_PER_S = 20
RESULTS_PER_TYPE = 20
CANDIDATES_SHOWN = 5
# Events come along with all their markets.
ANSWER_CHARS_MAX = 32 << 20
_WALLET = re.compile(r"0[xX][0-9a-fA-F]{40}")


@attrs.frozen(kw_only=True)
class Profile:
    """A profile that came back from the search."""

    wallet: str
    name: str
    pseudonym: str


class NameNotResolvedError(Exception):
    """A name that leads to no wallet or to several; the message lists the candidates."""


def decode_profiles(body: bytes) -> list[Profile]:
    """Returns the profiles of an answer that have a wallet. Raises `TransientError` when it is no search answer."""
    try:
        answer = read_object(body, chars_max=ANSWER_CHARS_MAX)
    except MalformedError as error:
        raise TransientError(f"/public-search answered no object: {error}") from None
    profiles = answer.get("profiles")
    return [found for item in profiles if (found := _profile(item)) is not None] if isinstance(profiles, list) else []


def wallet_of(name: str, profiles: Sequence[Profile]) -> str:
    """Returns the one wallet whose name or pseudonym is `name`, case apart. Raises `NameNotResolvedError`."""
    wanted = name.casefold()
    exact = [profile for profile in profiles if wanted in (profile.name.casefold(), profile.pseudonym.casefold())]
    wallets = {profile.wallet for profile in exact}
    if len(wallets) == 1:
        return wallets.pop()
    if wallets:
        raise NameNotResolvedError(f"several traders are called so, give the wallet: {_listed(exact)}")
    near = f"; similar: {_listed(profiles)}" if profiles else ""
    raise NameNotResolvedError(f"no trader is called so{near}")


async def find_wallets(
    venue: VenueConfig, names: Sequence[str], on_progress: Callable[[int], None]
) -> dict[str, str | NameNotResolvedError]:
    """Looks up every name and returns its wallet or why there is none.

    `on_progress` gets how many are done. Raises `TransientError` and `RejectedError` when Gamma fails.
    """
    outcomes: dict[str, str | NameNotResolvedError] = {}
    async with open_upstream("gamma", venue.gamma_url, venue, rate_per_s=RATE_PER_S, traffic=Traffic()) as api:
        # One after the other: the rate limit decides, not the latency.
        for name in dict.fromkeys(names):
            on_progress(len(outcomes))
            outcomes[name] = await _find(api, name)
    return outcomes


async def _find(api: Upstream, name: str) -> str | NameNotResolvedError:
    params: Params = [("q", name), ("search_profiles", "true"), ("limit_per_type", RESULTS_PER_TYPE)]
    profiles = decode_profiles(await api.get("/public-search", params))
    try:
        return wallet_of(name, profiles)
    except NameNotResolvedError as error:
        return error


def _profile(item: Any) -> Profile | None:
    if not isinstance(item, dict):
        return None
    wallet = item.get("proxyWallet")
    if not isinstance(wallet, str) or not _WALLET.fullmatch(wallet):
        return None
    return Profile(
        wallet=wallet.lower(),
        name=storable_or_none(item.get("name")) or "",
        pseudonym=storable_or_none(item.get("pseudonym")) or "",
    )


def _listed(profiles: Sequence[Profile]) -> str:
    shown = [f"{plain(p.name or p.pseudonym, 60)} {p.wallet}" for p in profiles[:CANDIDATES_SHOWN]]
    more = len(profiles) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
