"""Lends the passes of live trading to the backup jobs."""

from collections.abc import Mapping

import attrs
import trio

from engine.live_wiring import LiveTrading
from protocols.live.passes import LivePasses


def live_passes(live: LiveTrading) -> LivePasses:
    """Returns the passes of a running engine."""

    def look() -> None:
        live.executor.missed_some()
        live.exits.look()

    def compared_ages_s() -> Mapping[str, float | None]:
        now_s, compared_s = trio.current_time(), live.reconciler.compared_s
        return {name: now_s - compared_s[name] if name in compared_s else None for name in live.reconciler.accounts}

    async def settle() -> Mapping[str, int]:
        figures = await live.settler.pass_once()
        await live.settler.release_due()
        counts: Mapping[str, int] = attrs.asdict(figures)
        return counts

    return LivePasses(
        waiting=lambda: len(live.book.claims()),
        working=lambda: len(live.book.working_orders()),
        held=lambda: len(live.book.lots()),
        look=look,
        compared_ages_s=compared_ages_s,
        compare=live.reconciler.pass_once,
        settle=settle,
        wallets={name: account.wallet for name, account in live.sender.accounts.items()},
    )
