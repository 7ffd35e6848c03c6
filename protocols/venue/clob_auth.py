"""Authentication of the CLOB (venue.md §4.1): L1 proves the wallet by a signature, L2 every request by an HMAC."""

import base64
import binascii
import hashlib
import hmac

from protocols.errors import MalformedError
from protocols.venue.order_typed_data import domain_typed, keccak256

_ATTESTATION = b"This message attests that I control the given wallet"
_CLOB_AUTH_TYPE = keccak256(b"ClobAuth(address address,string timestamp,uint256 nonce,string message)")


class ApiCreds:
    """Key, secret and passphrase of the API. Shows and pickles nothing but the key's first digits."""

    __slots__ = ("_passphrase", "_secret", "_secret_text", "key")

    def __init__(self, key: str, secret: str, passphrase: str) -> None:
        self.key = key
        self._passphrase = passphrase
        self._secret_text = secret
        try:
            self._secret = base64.urlsafe_b64decode(secret)
        except (binascii.Error, ValueError):
            raise MalformedError("secret", "not base64") from None

    def __repr__(self) -> str:
        return f"<API credentials {self.key[:8]}…>"

    def __reduce__(self) -> str:
        raise TypeError("API credentials are not pickled")

    def sign(self, message: str) -> str:
        """Returns HMAC-SHA256 of a message in URL-safe base64 with padding."""
        digest = hmac.new(self._secret, message.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode()

    def socket_auth(self) -> dict[str, str]:
        """Returns what the user socket is subscribed with (venue.md §2.2)."""
        return {"apiKey": self.key, "secret": self._secret_text, "passphrase": self._passphrase}

    def l2_headers(self, address: str, timestamp_s: int, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        """Returns the headers of a request. `path` is without its query, `body` the bytes that are sent."""
        return {
            "POLY_ADDRESS": address,
            "POLY_SIGNATURE": self.sign(f"{timestamp_s}{method}{path}{body.decode()}"),
            "POLY_TIMESTAMP": str(timestamp_s),
            "POLY_API_KEY": self.key,
            "POLY_PASSPHRASE": self._passphrase,
        }


def l1_digest(address: str, timestamp_s: int, nonce: int, chain_id: int) -> bytes:
    """Returns what a wallet signs to get API credentials."""
    words = (
        _CLOB_AUTH_TYPE,
        bytes.fromhex(address.removeprefix("0x")).rjust(32, b"\0"),
        keccak256(str(timestamp_s).encode()),
        nonce.to_bytes(32, "big"),
        keccak256(_ATTESTATION),
    )
    return domain_typed((b"ClobAuthDomain", b"1", chain_id), keccak256(b"".join(words)))


def l1_headers(address: str, signature: str, timestamp_s: int, nonce: int) -> dict[str, str]:
    """Returns the headers of a request for API credentials."""
    return {
        "POLY_ADDRESS": address,
        "POLY_SIGNATURE": signature,
        "POLY_TIMESTAMP": str(timestamp_s),
        "POLY_NONCE": str(nonce),
    }
