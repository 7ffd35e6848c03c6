"""EIP-712 of orders for CLOB V2 and Protocol V2 (venue.md §4.2): what is signed, and the hash that is the order's id.

An encoder for exactly these structs: a static struct is the hash of its type followed by its fields, 32 bytes each. Type 3
wallets sign an ERC-7739 wrapping of the same order.
"""

import enum
from functools import cache

import attrs
from Crypto.Hash import keccak as _keccak

ZERO_BYTES32 = "0x" + "00" * 32
_ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_WRAP_TYPE = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    + _ORDER_TYPE
)
_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_EXCHANGE_NAME = b"Polymarket CTF Exchange"
_WALLET_NAME, _WALLET_VERSION = b"DepositWallet", b"1"
_BYTES_32 = 32
_SIDES = {"BUY": 0, "SELL": 1}
DEPOSIT_WALLET = 3
"""Signature type POLY_1271."""
# venue.md §0.3. The V2 exchanges have the same addresses on both chains.
_STANDARD = "0xE111180000d2663C0091e4f400237545B87B996B"
_NEG_RISK = "0xe2222d279d744050d28e00520010520000310F59"
_POSITIONS = {
    137: "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa",
    80002: "0x9fE6e61422AdB6F610d8597F9684b16912D50C3D",
}


class ExchangeKind(enum.Enum):
    """Which exchange contract trades a token."""

    STANDARD = "standard"
    NEG_RISK = "neg_risk"
    POSITIONS = "positions"
    """Protocol V2: positions of both kinds."""


@attrs.frozen(kw_only=True)
class Exchange:
    """An exchange contract and its signing domain."""

    kind: ExchangeKind
    chain_id: int
    address: str
    domain_version: str

    @property
    def domain_separator(self) -> bytes:
        """Returns the hash of its domain."""
        return _domain_separator(self.chain_id, self.address, self.domain_version)


@attrs.frozen(kw_only=True)
class Order:
    """The signed struct. Amounts are base units, 10^6 a USD or share."""

    salt: int
    """At most 2^53 - 1: it travels as a JSON number."""
    maker: str
    """The wallet that holds the funds."""
    signer: str
    """The key's address; of signature type 3 the wallet again."""
    token_id: int
    maker_amount: int
    taker_amount: int
    side: str
    """BUY or SELL."""
    signature_type: int
    """0 EOA, 1 proxy, 2 safe, 3 deposit wallet."""
    timestamp_ms: int
    metadata: str = ZERO_BYTES32
    builder: str = ZERO_BYTES32


def is_position_id(token_id: int) -> bool:
    """Returns whether a token is a position of Protocol V2: bits 40 to 103 are zero (venue.md §4.2)."""
    return (token_id >> 40) & (2**64 - 1) == 0


def exchange_of(chain_id: int, *, negative_risk: bool, token_id: int) -> Exchange:
    """Returns the exchange that trades a token. Raises `LookupError` for a chain that has none."""
    if chain_id not in _POSITIONS:
        raise LookupError(f"no exchange on chain {chain_id}")
    if is_position_id(token_id):
        kind, address, version = ExchangeKind.POSITIONS, _POSITIONS[chain_id], "3"
    elif negative_risk:
        kind, address, version = ExchangeKind.NEG_RISK, _NEG_RISK, "2"
    else:
        kind, address, version = ExchangeKind.STANDARD, _STANDARD, "2"
    return Exchange(kind=kind, chain_id=chain_id, address=address, domain_version=version)


def keccak256(data: bytes) -> bytes:
    """Returns the Keccak-256 hash, which is not SHA3-256."""
    return _keccak.new(digest_bits=256, data=data).digest()


def struct_hash(order: Order) -> bytes:
    """Returns hashStruct of an order. Raises `OverflowError` or `ValueError` for a field that does not fit."""
    words = (
        order.salt.to_bytes(32, "big"),
        _address(order.maker),
        _address(order.signer),
        order.token_id.to_bytes(32, "big"),
        order.maker_amount.to_bytes(32, "big"),
        order.taker_amount.to_bytes(32, "big"),
        _SIDES[order.side].to_bytes(32, "big"),
        order.signature_type.to_bytes(32, "big"),
        order.timestamp_ms.to_bytes(32, "big"),
        _bytes32(order.metadata),
        _bytes32(order.builder),
    )
    return keccak256(_ORDER_TYPE_HASH + b"".join(words))


def order_hash(order: Order, exchange: Exchange) -> bytes:
    """Returns the EIP-712 hash of an order: the venue's id of it, known before it is sent."""
    return _typed(exchange.domain_separator, struct_hash(order))


def signing_digest(order: Order, exchange: Exchange) -> bytes:
    """Returns what the key signs: the order's hash, or for type 3 the hash of its ERC-7739 wrapping."""
    if order.signature_type != DEPOSIT_WALLET:
        return order_hash(order, exchange)
    wrapped = (
        _WRAP_TYPE_HASH,
        struct_hash(order),
        _WALLET_NAME_HASH,
        _WALLET_VERSION_HASH,
        exchange.chain_id.to_bytes(32, "big"),
        _address(order.signer),
        bytes(32),
    )
    return _typed(exchange.domain_separator, keccak256(b"".join(wrapped)))


def wire_signature(signature: bytes, order: Order, exchange: Exchange) -> str:
    """Returns the signature as it travels: 65 bytes, followed for type 3 by what the wallet needs to check it."""
    if order.signature_type != DEPOSIT_WALLET:
        return "0x" + signature.hex()
    tail = _ORDER_TYPE + len(_ORDER_TYPE).to_bytes(2, "big")
    return "0x" + (signature + exchange.domain_separator + struct_hash(order) + tail).hex()


def domain_typed(domain: tuple[bytes, bytes, int], contents: bytes) -> bytes:
    """Returns the digest of a struct in a domain (name, version, chain id) without a contract, as L1 sign-in has it."""
    name, version, chain_id = domain
    kind = keccak256(b"EIP712Domain(string name,string version,uint256 chainId)")
    separator = keccak256(kind + keccak256(name) + keccak256(version) + chain_id.to_bytes(32, "big"))
    return _typed(separator, contents)


def _typed(separator: bytes, contents: bytes) -> bytes:
    return keccak256(b"\x19\x01" + separator + contents)


@cache
def _domain_separator(chain_id: int, address: str, version: str) -> bytes:
    words = (
        keccak256(_DOMAIN_TYPE),
        keccak256(_EXCHANGE_NAME),
        keccak256(version.encode()),
        chain_id.to_bytes(32, "big"),
        _address(address),
    )
    return keccak256(b"".join(words))


@cache
def _address(address: str) -> bytes:
    raw = bytes.fromhex(address.removeprefix("0x"))
    if len(raw) != 20:
        raise ValueError(f"not an address: {address[:50]}")
    return raw.rjust(32, b"\0")


@cache
def _bytes32(text: str) -> bytes:
    raw = bytes.fromhex(text.removeprefix("0x"))
    if len(raw) != _BYTES_32:
        raise ValueError("not 32 bytes")
    return raw


_ORDER_TYPE_HASH = keccak256(_ORDER_TYPE)
_WRAP_TYPE_HASH = keccak256(_WRAP_TYPE)
_WALLET_NAME_HASH = keccak256(_WALLET_NAME)
_WALLET_VERSION_HASH = keccak256(_WALLET_VERSION)
