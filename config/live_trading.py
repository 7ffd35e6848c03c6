"""Settings of live trading. The first of its two switches is `enabled`; the other is given at start (`--live`)."""

import re

import attrs

from config.field import flag, free_sections, number, text, whole

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
SIGNATURE_TYPE_MAX = 3


@attrs.frozen(kw_only=True)
class AccountConfig:
    """An account at the venue. Only the paths of its secrets stand here, never a secret."""

    user: str = text("admin", allowed="name of a user", check=bool, doc="whose strategies may use it")
    key_file: str = text(
        "", allowed="a path, or empty for the systemd credential NAME.key", check=lambda value: "\0" not in value,
        doc="file of mode 0600 with the private key of the signer",
    )  # fmt: skip
    funder: str = text(
        "", allowed="0x and 40 hex digits, or empty for the signer's own address",
        check=lambda value: not value or bool(_ADDRESS.fullmatch(value)), doc="wallet that holds the funds",
    )  # fmt: skip
    signature_type: int = whole(
        0, at_least=0, at_most=SIGNATURE_TYPE_MAX, doc="0 EOA, 1 proxy, 2 safe, 3 deposit wallet"
    )


@attrs.frozen(kw_only=True)
class LiveTradingConfig:
    """Copying with real money. Off unless `enabled` is true here and the engine is started with --live."""

    enabled: bool = flag(False, doc="first of two switches; the second is --live, or POLYCOPY_LIVE=1, at start")
    accounts: dict[str, AccountConfig] = free_sections(AccountConfig)
    max_price_age_ms: float = number(
        1_000, at_least=0, at_most=10_000, doc="age up to which an order book may price an order"
    )
    poll_interval_ms: float = number(500, at_least=10, at_most=60_000, doc="pause between looks at an order just sent")
    poll_max_s: float = number(5, at_least=0, at_most=600, doc="how long an order that was sent is looked at so")
    reconcile_interval_s: float = number(
        60, at_least=0.2, at_most=60, doc="how often accounts are compared with the venue"
    )
    not_found_interval_s: float = number(
        20,
        at_least=0.05,
        at_most=3_600,
        doc="at most one not-found of an order counts in this time; three make it LOST",
    )
    in_flight_s: float = number(
        15, at_least=0, at_most=600, doc="how long an order just sent may be on its way before it is asked for"
    )
    lookups_per_s: float = number(
        10, at_least=0.1, at_most=1_000, doc="single look-ups of orders and positions of one account a second"
    )
    settle_interval_s: float = number(
        60, at_least=0.2, at_most=3_600, doc="how often resolutions of live positions are looked for"
    )
    lanes: int = whole(3, at_least=1, at_most=16, doc="connections of each account for orders")
    order_timeout_s: float = number(10, at_least=0.2, at_most=120, doc="longest wait for an answer about an order")
    orders_per_s: float = number(40, at_least=0.1, at_most=10_000, doc="orders of one account a second")
    orders_burst: int = whole(60, at_least=1, at_most=10_000, doc="orders of one account at once")
    unsent_retry_max: int = whole(
        5, at_least=0, at_most=100, doc="further tries of an order that provably was not sent"
    )
    retry_pause_max_s: float = number(10, at_least=0.05, at_most=600, doc="longest pause before one of them")


def accounts_of(live: LiveTradingConfig, user_name: str) -> dict[str, str]:
    """Returns the accounts of a user with their wallets in lower case; an empty text where the wallet is the key's own."""
    return {name: one.funder.lower() for name, one in live.accounts.items() if one.user == user_name}


def account_problems(live: LiveTradingConfig) -> list[str]:
    """Returns what is wrong between settings of accounts that are each fine alone."""
    problems = []
    for name, account in live.accounts.items():
        if account.signature_type > 0 and not account.funder:
            why = "signature_type 1, 2 and 3 sign for a wallet other than the key's own: name it"
            problems.append(f"live.accounts.{name}.funder: {why}")
    return problems
