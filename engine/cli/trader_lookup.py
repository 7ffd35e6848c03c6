"""The wallets of traders as people write them: names are looked up at the venue."""

from collections.abc import Sequence

import click

from config.schema import EngineConfig
from engine.cli.main import EXIT_USAGE
from engine.cli.terminal import plain, progress, show_passing
from engine.cli.wallet_forms import Entry
from protocols.errors import RejectedError, TransientError


class BadTradersError(click.ClickException):
    """Some traders cannot be understood; `so` says what therefore did not happen."""

    exit_code = EXIT_USAGE

    def __init__(self, problems: Sequence[str], so: str) -> None:
        count = len(problems)
        head = f"{count} trader{'s' if count > 1 else ''} cannot be understood; {so}:"
        super().__init__("\n".join([head, *(f"  {problem}" for problem in problems)]))


async def wallets_of(
    config: EngineConfig, entries: Sequence[Entry], problems: Sequence[str], so: str = "nothing was changed"
) -> list[str]:
    """Returns the wallets of all entries, each once. Raises `BadTradersError` with every problem."""
    found = list(problems)
    outcomes: dict[str, str | Exception] = {}
    try:
        outcomes = await _looked_up(config, [entry.trader.name for entry in entries if entry.trader.name is not None])
    except (TransientError, RejectedError) as error:
        if not found:
            raise click.ClickException(f"names could not be looked up, {so}: {plain(error)}") from None
        found.append(f"names could not be looked up: {plain(error)}")
    wallets = []
    for entry in entries:
        outcome = entry.trader.wallet or outcomes.get(entry.trader.name or "")
        if isinstance(outcome, str):
            wallets.append(outcome)
        elif outcome is not None:
            found.append(f"{entry.origin}: @{plain(entry.trader.name, 80)}: {outcome}")
    if found:
        raise BadTradersError(found, so)
    return list(dict.fromkeys(wallets))


async def _looked_up(config: EngineConfig, names: Sequence[str]) -> dict[str, str | Exception]:
    """Returns the wallet of each name, or why it has none. Raises `TransientError` and `RejectedError`."""
    if not names:
        return {}
    # Only here: the HTTP client takes longer to import than all the rest of such a command.
    from engine.cli.profile_search import find_wallets

    total = len(set(names))
    with progress("looking up names"):
        found = await find_wallets(
            config.venue, names, lambda done: show_passing(f"looking up name {done + 1} of {total} …")
        )
    return dict(found)
