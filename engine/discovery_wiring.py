"""Which jobs find out who trades well, and in which order: leaderboards ─▶ results and rankings ─▶ lists of winners."""

from collections.abc import Callable, Mapping
from typing import Protocol

from actors.jobs.trader_leaderboard import SyncTraderLeaderboard
from actors.jobs.wallet_pnl import BackfillWalletPnl
from actors.jobs.winner_rotation import RotatePnlWinners
from config.schema import EngineConfig
from protocols.clock import WallClock
from protocols.jobs import Job
from protocols.live.passes import LivePasses
from protocols.trader_accounts import TraderAccounts
from protocols.wallet_results import LeaderboardStore, OfficialResultStore, RotationStore, WalletResultStore


class DiscoveryPorts(Protocol):
    """The world behind these jobs. They share one allowance of the venue's API."""

    @property
    def accounts(self) -> TraderAccounts: ...

    @property
    def results(self) -> WalletResultStore: ...

    @property
    def official(self) -> OfficialResultStore: ...

    @property
    def leaderboard(self) -> LeaderboardStore: ...

    @property
    def rotation(self) -> RotationStore: ...


def discovery_jobs(
    config: EngineConfig, io: DiscoveryPorts, clock: WallClock, live: Callable[[], LivePasses | None]
) -> list[Job]:
    """Returns the three jobs; each comes after the one before it."""
    discovery = config.discovery
    return [
        SyncTraderLeaderboard(store=io.leaderboard, accounts=io.accounts, rows=discovery.leaderboard_rows),
        BackfillWalletPnl(
            store=io.results,
            official=io.official,
            accounts=io.accounts,
            own_wallets=lambda: own_wallets(config, live()),
            config=discovery,
            clock=clock,
        ),
        RotatePnlWinners(store=io.rotation, clock=clock, incomplete_max_ratio=discovery.incomplete_max_ratio),
    ]


def own_wallets(config: EngineConfig, live: LivePasses | None) -> Mapping[str, str]:
    """Returns the wallets of our own accounts, as far as they are known here.

    An account without a funder trades with the address of its key, which only a process that trades live has read.
    """
    named = {name: account.funder.lower() for name, account in config.live.accounts.items() if account.funder}
    return {**named, **(live.wallets if live is not None else {})}
