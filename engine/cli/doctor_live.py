"""The checks of `polycopy doctor` for live trading: switches, keys, wallets, credentials, money, what the venue allows.

The venue's clock is looked at by the check `clob` already.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal

import attrs
import trio

from config.live_trading import AccountConfig
from config.schema import EngineConfig
from engine.adapters.clob_account_api import ClobAccountApi
from engine.adapters.clob_lanes import open_lanes
from engine.adapters.live_adapters import account_signer
from engine.adapters.signer import KeyFileError, Signer
from engine.adapters.upstream import open_upstream
from engine.cli.doctor_report import Check, CheckFailedError
from engine.runtime.traffic import Traffic
from protocols.clock import WallClock
from protocols.errors import MalformedError
from protocols.venue.order_typed_data import exchange_of
from protocols.venue.strict_json import read_object

MICRO = Decimal(10**6)
VERSION = 2
"""Of the exchange, whose orders this program signs (venue.md §4.2)."""
GEOBLOCK_URL = "https://polymarket.com"
REAL_VENUE = "https://clob.polymarket.com"
WALLETS = ("EOA", "proxy", "safe", "deposit wallet")
KEY_HINT = "64 hex digits in a regular file of the user who runs the engine: chmod 600 FILE"
# A token of each exchange: what a market is traded on depends on its token (venue.md §4.2).
_CLASSIC_TOKEN = 2**64
_POSITION_TOKEN = 1


@attrs.define(eq=False, kw_only=True)
class LiveChecks:
    """What live trading needs beside the rest. None at all while the configuration says nothing of it."""

    config: EngineConfig
    clock: WallClock
    timeout_s: float

    def checks(self) -> list[Check]:
        """Returns the checks in the order in which they are shown."""
        live = self.config.live
        if not live.enabled and not live.accounts:
            return []
        works: list[tuple[str, Callable[[], Awaitable[str]], str]] = [
            ("live switches", self._switches, ""),
            ("live version", self._version, "update Polycopy before it trades again"),
        ]
        if self.config.venue.clob_url.rstrip("/") == REAL_VENUE:
            works.append(("live region", self._region, "the venue takes no orders from here"))
        for name, account in live.accounts.items():
            one = _Account(name=name, account=account, checks=self)
            works += [
                (f"{name} key", one.key, KEY_HINT),
                (f"{name} wallet", one.wallet, ""),
                (
                    f"{name} credentials",
                    one.credentials,
                    "is it the key of an account that has signed in at the venue?",
                ),
                (f"{name} rights", one.rights, ""),
                (f"{name} money", one.money, ""),
            ]
        return [Check(name=name, work=work, hint=hint, timeout_s=self.timeout_s) for name, work, hint in works]

    async def _switches(self) -> str:
        live = self.config.live
        if not live.enabled:
            raise CheckFailedError("live.enabled is false: no order is sent", "live.enabled = true, then run --live")
        if not live.accounts:
            raise CheckFailedError("live.accounts is empty", "[live.accounts.main] with key_file; see config/README.md")
        return "live.enabled is true; the second switch is --live, or POLYCOPY_LIVE=1, at start"

    async def _version(self) -> str:
        found = await self._asked(self.config.venue.clob_url, "/version")
        if found.get("version") != VERSION:
            raise CheckFailedError(f"the venue's orders have version {found.get('version')!r}, ours {VERSION}")
        return f"orders of version {VERSION}"

    async def _region(self) -> str:
        return region_text(await self._asked(GEOBLOCK_URL, "/api/geoblock"))

    async def _asked(self, base_url: str, path: str) -> dict[str, object]:
        patient = attrs.evolve(self.config.venue, request_timeout_s=self.timeout_s)
        async with open_upstream("live", base_url, patient, rate_per_s=10, traffic=Traffic()) as api:
            body = await api.get(path, ())
        try:
            return read_object(body)
        except MalformedError:
            raise CheckFailedError(f"{base_url}{path} answered something else") from None


@attrs.frozen(kw_only=True)
class _Account:
    name: str
    account: AccountConfig
    checks: LiveChecks
    asking: trio.Lock = attrs.field(factory=trio.Lock)
    """Checks run at once; credentials that two of them make at once are refused to one."""

    async def key(self) -> str:
        return f"signs as {self._signer().address}"

    async def wallet(self) -> str:
        return wallet_text(self.account, self._signer().address)

    async def credentials(self) -> str:
        async with self._api():
            pass
        return "the venue gave API credentials; they are kept in memory only"

    async def rights(self) -> str:
        async with self._api() as api:
            if await api.closed_only():
                raise CheckFailedError("may only close positions", "ask the venue; until then entries are refused")
        return "may open and close positions"

    async def money(self) -> str:
        async with self._api() as api:
            found = await api.collateral()
        usd = Decimal(found.balance_micro) / MICRO
        if not found.balance_micro:
            raise CheckFailedError("holds no pUSD", f"send pUSD to {self.account.funder or api.funder}")
        missing = unallowed(found.allowances_micro, found.balance_micro, self.checks.config.venue.chain_id)
        if missing:
            raise CheckFailedError(
                f"{usd} pUSD, of which exchanges may not take all: {', '.join(missing)}",
                "trade once at the venue's site with this account, or approve pUSD for these contracts",
            )
        return f"{usd} pUSD, every exchange may take it"

    def _signer(self) -> Signer:
        try:
            return account_signer(self.name, self.account)
        except KeyFileError as error:
            raise CheckFailedError(str(error), KEY_HINT) from None

    @asynccontextmanager
    async def _api(self) -> AsyncIterator[ClobAccountApi]:
        """Opens the account; it has its credentials then. Raises `TransientError` and `RejectedError`."""
        venue, signer = self.checks.config.venue, self._signer()
        async with open_lanes(
            venue.clob_url,
            lanes=1,
            timeout_s=self.checks.timeout_s,
            user_agent=venue.user_agent,
            requests=Counter(),
        ) as lanes:
            api = ClobAccountApi(
                lanes=lanes,
                reads=lanes,
                signer=signer,
                funder=self.account.funder or signer.address,
                signature_type=self.account.signature_type,
                chain_id=venue.chain_id,
                clock=self.checks.clock,
            )
            async with self.asking:
                await api.creds()
            yield api


def wallet_text(account: AccountConfig, address: str) -> str:
    """Returns what holds the funds. Raises `CheckFailedError` when wallet and signature type contradict each other."""
    kind, is_own = account.signature_type, account.funder.lower() in ("", address.lower())
    if kind == 0 and not is_own:
        raise CheckFailedError(
            f"funder {account.funder} is not the key's address {address}, but signature_type is 0",
            "signature_type = 1 (e-mail login), 2 (browser wallet) or 3 (deposit wallet); or leave funder empty",
        )
    if kind and is_own:
        raise CheckFailedError(
            f"funder is the key's own address, but signature_type {kind} signs for a {WALLETS[kind]}",
            "set funder to the address that the venue shows under deposit, or signature_type = 0",
        )
    return f"{WALLETS[kind]} {account.funder or address}"


def unallowed(allowances_micro: Mapping[str, int], balance_micro: int, chain_id: int) -> list[str]:
    """Returns the exchanges that may not take the whole balance."""
    allowed = allowances_micro
    exchanges = [
        exchange_of(chain_id, negative_risk=negative_risk, token_id=token_id)
        for negative_risk, token_id in ((False, _CLASSIC_TOKEN), (True, _CLASSIC_TOKEN), (False, _POSITION_TOKEN))
    ]
    single = allowed.get("", 0)
    return [
        f"{exchange.kind.value} {exchange.address}"
        for exchange in exchanges
        if allowed.get(exchange.address.lower(), single) < balance_micro
    ]


def region_text(answer: dict[str, object]) -> str:
    """Returns where the venue sees this machine (venue.md §7.3). Raises `CheckFailedError` when it takes no orders there."""
    place = f"{answer.get('country') or '?'} {answer.get('region') or ''}".strip()
    if answer.get("blocked") is not False:
        raise CheckFailedError(f"the venue sees this machine in {place} and refuses orders from there")
    return f"seen in {place}, not blocked"
