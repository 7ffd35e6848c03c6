"""Whether an order is let in: the venue's checks one after the other (venue.md §8); the first that fails answers.

Only that the region comes before authentication is evidenced; the rest of the order is reasonable, and may be given otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from engine.simulator.exchange import refusals
from engine.simulator.exchange.accounts import Account, Accounts
from engine.simulator.exchange.api_keys import ApiKey, ApiKeys, SignedRequest
from engine.simulator.exchange.buckets import SignerBuckets
from engine.simulator.exchange.modes import TradingModes
from engine.simulator.exchange.payloads import OrderPayload, places, read_payload, tick_rules
from engine.simulator.exchange.refusals import Refusal
from engine.simulator.exchange.signatures import Signed, read_signature
from engine.simulator.market import Market, MarketDirectory, MarketState
from protocols.venue.order_typed_data import DEPOSIT_WALLET, Exchange, ExchangeKind, exchange_of

BATCH_MAX = 15
GTD_AHEAD_S = 180
REQUEST_CHECKS = ("region", "headers", "api_key", "count", "modes", "bucket")
"""Those that a request passes or fails as a whole, whatever it holds."""
ORDER = (
    "region", "headers", "api_key", "count", "owner", "signer", "wallet", "payload", "market", "signature", "expiration",
    "precision", "tick", "minimum", "duplicate", "balance", "modes", "bucket",
)  # fmt: skip


@attrs.define(kw_only=True)
class Attempt:
    """One order on its way in, or with `payload` None the request that holds it."""

    request: SignedRequest
    entries: Sequence[OrderPayload | None]
    """All orders of the request; None where one cannot be read."""
    payload: OrderPayload | None = None
    now_ms: int
    key: ApiKey | None = None
    market: Market | None = None
    outcome_index: int = 0
    exchange: Exchange | None = None
    signed: Signed | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Of the rate limit."""

    @property
    def order_id(self) -> str:
        """The order's hash; empty before it is known."""
        return self.signed.order_id if self.signed is not None else ""


class OrderBooks(Protocol):
    """What admission asks about orders: the exchange answers."""

    def is_known(self, order_id: str) -> bool:
        """Returns whether the venue has accepted an order before."""
        ...

    def cost_of(self, attempt: Attempt) -> tuple[int, bool]:
        """Returns USD or shares that an order needs now, and whether it would take anything."""
        ...

    def free_micro(self, account: Account, token_id: str | None) -> int:
        """Returns USD (None) or shares of a token that no open order ties down."""
        ...


class AdmissionDesk:
    """Runs the checks. `order` names them all, in the order in which they are made."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        keys: ApiKeys,
        modes: TradingModes,
        buckets: SignerBuckets,
        markets: MarketDirectory,
        books: OrderBooks,
        chain_id: int,
        order: Sequence[str] = ORDER,
    ) -> None:
        self._accounts = accounts
        self._keys = keys
        self._modes = modes
        self._buckets = buckets
        self._markets = markets
        self._books = books
        self._chain_id = chain_id
        self._checks: dict[str, Callable[[Attempt], Refusal | None]] = {
            "region": self._region, "headers": _headers, "api_key": self._api_key, "count": _count, "owner": _owner,
            "signer": _signer, "wallet": self._wallet, "payload": _payload, "market": self._market,
            "signature": self._signature, "expiration": _expiration, "precision": _precision, "tick": _tick,
            "minimum": self._minimum, "duplicate": self._duplicate, "balance": self._balance, "modes": self._mode,
            "bucket": self._bucket,
        }  # fmt: skip
        if sorted(order) != sorted(self._checks):
            raise ValueError(f"admission needs each of these once: {', '.join(sorted(self._checks))}")
        self.order = tuple(order)

    def refusal(self, attempt: Attempt, names: Sequence[str] | None = None) -> Refusal | None:
        """Returns why an attempt fails, None when it passes; with `names` only those checks, in the usual order."""
        for name in self.order:
            if names is None or name in names:
                refusal = self._checks[name](attempt)
                if refusal is not None:
                    return refusal
        return None

    def find_market(self, attempt: Attempt) -> None:
        """Fills in market, exchange and hash as far as the payload has them."""
        payload = attempt.payload
        if payload is None or attempt.market is not None:
            return
        market = self._markets.with_token(str(payload.order.token_id))
        if market is None:
            return
        attempt.market = market
        attempt.outcome_index = market.index_of(str(payload.order.token_id))
        attempt.exchange = exchange_of(
            self._chain_id, negative_risk=market.negative_risk, token_id=payload.order.token_id
        )
        attempt.signed = read_signature(payload, attempt.exchange)

    def _region(self, _attempt: Attempt) -> Refusal | None:
        return refusals.REGION if self._modes.geoblocked else None

    def _api_key(self, attempt: Attempt) -> Refusal | None:
        attempt.key = self._keys.l2_key(attempt.request)
        return refusals.BAD_KEY if attempt.key is None else None

    def _wallet(self, attempt: Attempt) -> Refusal | None:
        payload = attempt.payload
        if payload is None:
            return None
        account = self._accounts.get(payload.order.maker)
        if account is not None and account.banned:
            return refusals.banned(payload.order.maker)
        if payload.order.side == "BUY":
            if self._modes.close_only:
                return refusals.REGION
            if account is not None and account.closed_only:
                return refusals.closed_only(payload.order.maker)
        return None

    def _market(self, attempt: Attempt) -> Refusal | None:
        self.find_market(attempt)
        if attempt.market is None:
            return refusals.NO_BOOK
        return refusals.NOT_READY if attempt.market.state is not MarketState.OPEN else None

    def _signature(self, attempt: Attempt) -> Refusal | None:
        self.find_market(attempt)
        payload, key, signed, exchange = attempt.payload, attempt.key, attempt.signed, attempt.exchange
        if payload is None or key is None or signed is None or exchange is None:
            return refusals.BAD_PAYLOAD
        account = self._accounts.get(payload.order.maker)
        if signed.key_address == key.address:
            of_another = account is not None and account.signer not in (None, key.address)
            return refusals.BAD_SIGNATURE if of_another else None
        others = [exchange_of(self._chain_id, negative_risk=False, token_id=token_id) for token_id in (0, 1 << 40)]
        for other in others:
            of_version = other.domain_version != exchange.domain_version
            if of_version and read_signature(payload, other).key_address == key.address:
                return refusals.WRONG_VERSION
        return refusals.BAD_SIGNATURE

    def _minimum(self, attempt: Attempt) -> Refusal | None:
        payload, market = attempt.payload, attempt.market
        if payload is None or market is None:
            return None
        if not payload.takes_only and payload.shares_micro < market.order_size_min * 1_000_000:
            return refusals.too_small(attempt.order_id, _decimal(payload.shares_micro), market.order_size_min)
        if payload.order.side == "BUY" and payload.cash_micro < 1_000_000:
            takes = payload.takes_only or self._books.cost_of(attempt)[1]
            return refusals.too_cheap(_decimal(payload.cash_micro)) if takes else None
        return None

    def _duplicate(self, attempt: Attempt) -> Refusal | None:
        return refusals.duplicated(attempt.order_id) if self._books.is_known(attempt.order_id) else None

    def _balance(self, attempt: Attempt) -> Refusal | None:
        payload, exchange = attempt.payload, attempt.exchange
        account = self._accounts.get(payload.order.maker) if payload is not None else None
        if payload is None or exchange is None or account is None:
            return refusals.NO_BALANCE
        if account.signature_type != payload.order.signature_type:
            return refusals.NO_BALANCE
        token_id = None if payload.order.side == "BUY" else str(payload.order.token_id)
        if self._books.free_micro(account, token_id) < self._books.cost_of(attempt)[0]:
            return refusals.NO_BALANCE
        return None if _allowed(account, exchange.kind) else refusals.NO_ALLOWANCE

    def _mode(self, attempt: Attempt) -> Refusal | None:
        post_only = all(entry is not None and entry.post_only for entry in attempt.entries)
        return self._modes.refusal_of_order(attempt.now_ms, post_only=post_only)

    def _bucket(self, attempt: Attempt) -> Refusal | None:
        if attempt.key is None:
            return None
        spent = self._buckets.spend(attempt.key.address, "orders", len(attempt.entries), attempt.now_ms)
        attempt.headers = spent.headers
        return None if spent.admitted else refusals.rate_limited(spent.retry_after_s)


def read_entries(values: Sequence[object]) -> list[OrderPayload | None]:
    """Returns the orders of a request, None for each that cannot be read."""
    return [read_payload(each) for each in values]


def _headers(attempt: Attempt) -> Refusal | None:
    return None if attempt.request.headers.get("poly_address") else refusals.NO_ADDRESS


def _count(attempt: Attempt) -> Refusal | None:
    count = len(attempt.entries)
    if not count:
        return refusals.BAD_PAYLOAD
    return refusals.too_many(count, BATCH_MAX) if count > BATCH_MAX else None


def _owner(attempt: Attempt) -> Refusal | None:
    payload, key = attempt.payload, attempt.key
    if payload is None or key is None:
        return None
    return refusals.NOT_OWNER if payload.owner != key.key else None


def _signer(attempt: Attempt) -> Refusal | None:
    payload, key = attempt.payload, attempt.key
    if payload is None or key is None:
        return None
    order = payload.order
    if order.signature_type == DEPOSIT_WALLET:
        return refusals.NOT_SIGNER if order.signer.lower() != order.maker.lower() else None
    if order.signer.lower() != key.address:
        return refusals.NOT_SIGNER
    wrong_maker = order.signature_type == 0 and order.maker.lower() != key.address
    return refusals.NOT_SIGNER if wrong_maker else None


def _payload(attempt: Attempt) -> Refusal | None:
    return refusals.BAD_PAYLOAD if attempt.payload is None else None


def _expiration(attempt: Attempt) -> Refusal | None:
    payload = attempt.payload
    if payload is None:
        return None
    if payload.order_type != "GTD":
        return refusals.BAD_EXPIRATION if payload.expiration_s else None
    ahead_ms = payload.expiration_s * 1000 - attempt.now_ms
    return refusals.BAD_EXPIRATION if ahead_ms < GTD_AHEAD_S * 1000 else None


def _precision(attempt: Attempt) -> Refusal | None:
    payload, market = attempt.payload, attempt.market
    if payload is None or market is None:
        return None
    amount = tick_rules(market).amount_places
    # Dollars of a market BUY have 2 decimals and its shares the more; of all other orders it is the other way round.
    cash_places, share_places = (2, amount) if payload.takes_only and payload.order.side == "BUY" else (amount, 2)
    if places(payload.cash_micro) <= cash_places and places(payload.shares_micro) <= share_places:
        return None
    maker, taker = (cash_places, share_places) if payload.order.side == "BUY" else (share_places, cash_places)
    return refusals.imprecise(
        payload.order.side, market_order=payload.takes_only, maker_places=maker, taker_places=taker
    )


def _tick(attempt: Attempt) -> Refusal | None:
    payload, market = attempt.payload, attempt.market
    if payload is None or market is None or payload.fits(market.tick_size):
        return None
    price = payload.exact_price.quantize(Decimal("0.000001"))
    return refusals.off_tick(attempt.order_id, price, market.tick_size)


def _allowed(account: Account, kind: ExchangeKind) -> bool:
    return kind in account.approved


def _decimal(micro: int) -> Decimal:
    return Decimal(micro).scaleb(-6)
