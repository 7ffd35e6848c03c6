"""The only place where a private key lives: it signs, and shows nothing but its address."""

import ctypes
import os
import resource
import stat
from pathlib import Path

import coincurve

from protocols.errors import EngineError
from protocols.venue.order_typed_data import (
    DEPOSIT_WALLET,
    Exchange,
    Order,
    keccak256,
    order_hash,
    signing_digest,
    wire_signature,
)

_KEY_BYTES = 32
_FILE_BYTES_MAX = 4_096
_PR_SET_DUMPABLE = 4


class KeyFileError(EngineError):
    """A key file that is not used, and why. Never holds what is in it."""


class Signer:
    """A secp256k1 key. Neither printed nor pickled, copied or compared."""

    __slots__ = ("__key", "address")

    def __init__(self, secret: bytes) -> None:
        """Takes 32 bytes. Raises `KeyFileError` when they are no key."""
        try:
            self.__key = coincurve.PrivateKey(secret)
        except ValueError:
            raise KeyFileError("the key is not a number that the curve allows") from None
        public = self.__key.public_key.format(compressed=False)[1:]
        self.address = checksummed(keccak256(public)[-20:])

    def __repr__(self) -> str:
        return f"<signer {self.address}>"

    def __reduce__(self) -> str:
        raise TypeError("a signer is not pickled")

    def sign_digest(self, digest: bytes) -> bytes:
        """Returns r, s and v (27 or 28) of a 32-byte digest: 65 bytes."""
        signature = self.__key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([signature[64] + 27])

    def sign_order(self, order: Order, exchange: Exchange) -> tuple[str, str]:
        """Returns the order's hash and its signature as they travel."""
        identity = order_hash(order, exchange)
        digest = signing_digest(order, exchange) if order.signature_type == DEPOSIT_WALLET else identity
        return "0x" + identity.hex(), wire_signature(self.sign_digest(digest), order, exchange)


def checksummed(address: bytes) -> str:
    """Returns an address as EIP-55 writes it."""
    text = address.hex()
    digits = keccak256(text.encode()).hex()
    return "0x" + "".join(c.upper() if int(digit, 16) >= 8 else c for c, digit in zip(text, digits, strict=False))


def read_key_file(path: Path, *, by_service_manager: bool = False) -> Signer:
    """Returns the signer of a key file: 64 hex digits, with 0x or without, readable by its owner alone.

    A credential of systemd may belong to root and be readable by a group of one.

    What is checked is the file that was opened, so that it cannot be exchanged in between. Raises `KeyFileError`.
    """
    try:
        # Without waiting: a pipe that nobody writes to would hold up the start for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        hint = "; a symbolic link is not followed" if path.is_symlink() else ""
        raise KeyFileError(f"{path}: {error.strerror}{hint}") from None
    try:
        _check(path, os.fstat(descriptor), by_service_manager=by_service_manager)
        content = os.read(descriptor, _FILE_BYTES_MAX)
    finally:
        os.close(descriptor)
    try:
        secret = bytes.fromhex(content.decode("ascii").strip().removeprefix("0x"))
    except ValueError:
        raise KeyFileError(f"{path}: not 64 hex digits") from None
    if len(secret) != _KEY_BYTES:
        raise KeyFileError(f"{path}: not 64 hex digits")
    return Signer(secret)


def _check(path: Path, status: os.stat_result, *, by_service_manager: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileError(f"{path}: not a regular file")
    if by_service_manager and status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o027:
        return
    if status.st_uid != os.geteuid():
        raise KeyFileError(f"{path}: belongs to another user; chown it to the one who runs the engine")
    if status.st_mode & 0o077:
        raise KeyFileError(f"{path}: others may read it; chmod 600 it")


def forbid_core_dumps() -> None:
    """Keeps the key out of core files and of other processes that would attach to this one."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
