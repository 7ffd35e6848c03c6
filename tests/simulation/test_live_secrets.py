"""What holds a key, and what a key would look like if it were written down."""

import base64
import copy
import json
import logging
import pickle
import traceback
from collections import Counter
from random import Random
from typing import Any

import attrs
import pytest
from simulation.canary import creds_needles, key_needles, together

from engine.adapters.clob_account_api import ClobAccountApi
from engine.adapters.clob_lanes import open_lanes
from engine.adapters.order_maker import AccountOrderMaker
from engine.adapters.rtds_socket import RtdsDialer
from engine.adapters.signer import KeyFileError, Signer, read_key_file
from engine.adapters.system_clock import SystemClock
from engine.adapters.user_socket import ClobUserDialer
from engine.runtime.rate_limit import TokenBucket
from protocols.live.ports import TradingAccount
from protocols.venue.clob_auth import ApiCreds
from protocols.venue.order_typed_data import keccak256

SECRET, API_SECRET = keccak256(b"polycopy canary of the holders"), keccak256(b"polycopy canary of the API")
NEEDLES = together(
    key_needles(SECRET), creds_needles(ApiCreds("key", base64.urlsafe_b64encode(API_SECRET).decode(), "p" * 32))
)
LEAKS = {
    "hex": SECRET.hex(), "0x": "0x" + SECRET.hex(), "upper case": SECRET.hex().upper(), "spaced": SECRET.hex(" "),
    "bytes": SECRET, "repr": repr(SECRET), "list": str(list(SECRET)), "number": str(int.from_bytes(SECRET)),
    "hex number": hex(int.from_bytes(SECRET)), "base64": base64.b64encode(SECRET).decode(),
    "escaped": "".join(f"\\x{byte:02x}" for byte in SECRET), "passphrase": "p" * 32,
    "API secret": base64.urlsafe_b64encode(API_SECRET).decode(), "API secret, repr": repr({"secret": API_SECRET}),
    "repr in JSON": json.dumps(repr(SECRET)),
}  # fmt: skip


@pytest.mark.parametrize("form", LEAKS)
def test_a_secret_that_is_written_down_would_be_found(form):
    leak = LEAKS[form]
    assert NEEDLES.found("here", b"before " + leak + b" after" if isinstance(leak, bytes) else f'{{"key":"{leak}"}}')


def test_what_holds_no_secret_is_not_suspected():
    assert not NEEDLES.found("here", keccak256(b"another").hex() + str(list(range(64))) + Signer(SECRET).address)


def shown(value: Any, *, own: bool = True) -> list[str]:
    """Every way in which an object is shown to people or to files; `own`: what it keeps to itself by an underscore, too."""
    texts = [
        repr(value),
        str(value),
        f"{value}",
        f"{value!r:>10}",
        f"{value} {value!r}",
        repr([value]),
        repr({1: value}),
    ]
    texts += [repr(vars(value))] if hasattr(value, "__dict__") else []
    names = [name for name in dir(value) if not name.startswith("__" if own else "_")]
    texts += [repr({name: getattr(value, name) for name in names})]
    record = logging.LogRecord("canary", logging.INFO, "", 0, "%s", (value,), None)
    texts.append(record.getMessage())
    for write in (pickle.dumps, copy.copy, copy.deepcopy, lambda one: json.dumps(one, default=str), attrs.asdict):
        try:
            texts.append(repr(write(value)))
        except Exception as error:
            texts += traceback.format_exception(error)
    return texts


async def test_what_holds_a_key_shows_it_to_nobody():
    signer, creds = Signer(SECRET), ApiCreds("key-0123456789", base64.urlsafe_b64encode(API_SECRET).decode(), "p" * 32)
    nobody: Any = object()
    address, clock, gate = signer.address, SystemClock(), TokenBucket(rate_per_s=1, burst=1)
    async with open_lanes("http://127.0.0.1:9", lanes=1, timeout_s=5, user_agent="canary", requests=Counter()) as lanes:
        api = ClobAccountApi(
            lanes=lanes, reads=lanes, signer=signer, funder=address, signature_type=0, chain_id=137, clock=clock
        )
        api._creds = creds
        maker = AccountOrderMaker(
            account="main",
            signer=signer,
            funder=address,
            signature_type=0,
            api_key=api.api_key,
            chain_id=137,
            rng=Random(1),
        )
        dialer = RtdsDialer(url="ws://127.0.0.1:9", user_agent="canary", frame_bytes_max=1, nursery=nobody)
        holders = [
            signer, creds, api, maker, ClobUserDialer(dialer=dialer, api=api),
            TradingAccount(name="main", venue=api, maker=maker, gate=gate, wallet=api.funder), signer.sign_order, api.creds,
        ]  # fmt: skip
        for holder in holders:
            texts = shown(holder, own=holder is not creds)
            assert len(texts) > 8
            for text in texts:
                assert not NEEDLES.found(type(holder).__name__, text)


def test_credentials_show_the_first_digits_of_their_key_alone():
    creds = ApiCreds("key-0123456789", base64.urlsafe_b64encode(API_SECRET).decode(), "p" * 32)
    for text in [repr(creds), str(creds), f"{creds}", "%s" % creds, repr([creds])]:  # noqa: UP031
        assert text.strip("[]") == "<API credentials key-0123…>"
    with pytest.raises(TypeError):
        pickle.dumps(creds)
    with pytest.raises(TypeError):
        copy.deepcopy(creds)


@pytest.mark.parametrize(
    "text", [SECRET.hex() + "00", SECRET.hex()[:-1], "key: " + SECRET.hex(), SECRET.hex() + "\n" + SECRET.hex()]
)
def test_a_key_file_that_is_not_understood_is_not_quoted(tmp_path, text):
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError) as raised:
        read_key_file(path)
    told = "".join(traceback.format_exception(raised.value))
    assert SECRET.hex()[:16] not in told
    assert raised.value.__context__ is None or raised.value.__suppress_context__
