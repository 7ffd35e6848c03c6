"""API credentials: made and derived from (address, nonce), verified on every request (venue.md §4.1)."""

import base64
import hmac
from collections.abc import Mapping

import attrs
import coincurve

from engine.simulator.seeds import digest
from protocols.errors import MalformedError
from protocols.venue.clob_auth import ApiCreds, l1_digest
from protocols.venue.order_typed_data import keccak256

_NONCE_MAX = 2**256 - 1


@attrs.frozen(kw_only=True)
class ApiKey:
    """What a wallet talks to the API with. Its texts are not shown."""

    key: str
    """A uuid: the owner of orders."""
    secret: str = attrs.field(repr=False)
    """URL-safe base64."""
    passphrase: str = attrs.field(repr=False)
    address: str
    """Of the signing key, lower case."""
    nonce: int

    def rendered(self) -> dict[str, str]:
        """Returns the answer to whoever made or derived it."""
        return {"apiKey": self.key, "secret": self.secret, "passphrase": self.passphrase}


@attrs.frozen(kw_only=True)
class SignedRequest:
    """A request as it arrived. Names of headers are in lower case, the path is without its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""


class ApiKeys:
    """The credentials in force. The same address and nonce always give the same ones under one seed."""

    def __init__(self, *, seed: int, chain_id: int) -> None:
        self._seed = seed
        self._chain_id = chain_id
        self._by_key: dict[str, ApiKey] = {}

    def create(self, address: str, nonce: int) -> ApiKey | None:
        """Returns new credentials, or None when there are some for this nonce already."""
        made = self._made(address, nonce)
        if made.key in self._by_key:
            return None
        self._by_key[made.key] = made
        return made

    def derive(self, address: str, nonce: int) -> ApiKey | None:
        """Returns the credentials that were created for a nonce."""
        return self._by_key.get(self._made(address, nonce).key)

    def delete(self, key: str) -> None:
        """Ends credentials."""
        self._by_key.pop(key, None)

    def of_address(self, address: str) -> list[ApiKey]:
        """Returns the credentials of a signing key."""
        return [each for each in self._by_key.values() if each.address == address.lower()]

    def with_socket_auth(self, auth: Mapping[str, object]) -> ApiKey | None:
        """Returns the credentials that the first frame of a user socket holds, when they are right (venue.md §2.2)."""
        known = self._by_key.get(str(auth.get("apiKey")))
        if known is None or auth.get("secret") != known.secret or auth.get("passphrase") != known.passphrase:
            return None
        return known

    def l1_address(self, request: SignedRequest) -> tuple[str, int] | None:
        """Returns the wallet (lower case) and the nonce that L1 headers prove, or None when they prove nothing."""
        address = request.headers.get("poly_address", "").lower()
        nonce, timestamp = request.headers.get("poly_nonce", "0"), request.headers.get("poly_timestamp", "")
        if not (nonce.isascii() and nonce.isdecimal() and timestamp.isascii() and timestamp.isdecimal()):
            return None
        if int(nonce) > _NONCE_MAX or len(timestamp) > 15:
            return None
        try:
            message = l1_digest(address, int(timestamp), int(nonce), self._chain_id)
        except (ValueError, OverflowError):
            return None
        if recovered(message, request.headers.get("poly_signature", "")) != address:
            return None
        return address, int(nonce)

    def l2_key(self, request: SignedRequest) -> ApiKey | None:
        """Returns the credentials that L2 headers prove, or None when they prove nothing."""
        known = self._by_key.get(request.headers.get("poly_api_key", ""))
        if known is None or known.passphrase != request.headers.get("poly_passphrase"):
            return None
        if known.address != request.headers.get("poly_address", "").lower():
            return None
        try:
            body = request.body.decode()
            creds = ApiCreds(known.key, known.secret, known.passphrase)
        except (UnicodeDecodeError, MalformedError):
            return None
        message = f"{request.headers.get('poly_timestamp', '')}{request.method}{request.path}"
        given = request.headers.get("poly_signature", "")
        # One official client signs its body with other quotation marks than it sends.
        texts = {body, body.replace("'", '"')}
        return known if any(_same(creds.sign(message + text), given) for text in texts) else None

    def _made(self, address: str, nonce: int) -> ApiKey:
        draw = digest("api key", self._seed, address.lower(), nonce)
        secret = base64.urlsafe_b64encode(digest("secret", self._seed, address.lower(), nonce)).decode()
        passphrase = digest("passphrase", self._seed, address.lower(), nonce).hex()
        return ApiKey(key=uuid_of(draw), secret=secret, passphrase=passphrase, address=address.lower(), nonce=nonce)


def recovered(message: bytes, signature: str) -> str | None:
    """Returns the lower-case address that signed a 32-byte digest, or None when the signature is none."""
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        return None
    if len(raw) != 65 or raw[64] not in (0, 1, 27, 28):
        return None
    try:
        public = coincurve.PublicKey.from_signature_and_message(
            raw[:64] + bytes([raw[64] % 27]), message, hasher=None
        ).format(compressed=False)
    except (ValueError, Exception):  # coincurve raises a bare Exception for what is not on the curve
        return None
    return "0x" + keccak256(public[1:])[-20:].hex()


def uuid_of(draw: bytes) -> str:
    """Returns 16 of some bytes spelled as a uuid."""
    text = draw[:16].hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _same(made: str, given: str) -> bool:
    return hmac.compare_digest(made.encode(), given.encode("utf-8", "replace"))
