"""What `polycopy doctor` says of live trading, against the simulated venue."""

import attrs
import httpx
import pytest
from engine_simulator.loopback_http import NO_TLS
from engine_simulator.simulator_clients import running

from config.live_trading import AccountConfig, LiveTradingConfig
from config.schema import EngineConfig, VenueConfig
from engine.adapters.signer import Signer
from engine.adapters.system_clock import SystemClock
from engine.cli.doctor_live import LiveChecks, region_text, unallowed, wallet_text
from engine.cli.doctor_report import CheckFailedError, run_checks
from protocols.venue.order_typed_data import keccak256

SECRET = keccak256(b"doctor of live trading")
ADDRESS = Signer(SECRET).address
SAFE = "0x" + "5a" * 20
UNLIMITED = 2**256 - 1


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "main.key"
    file.write_text(SECRET.hex())
    file.chmod(0o600)
    return file


async def findings(config):
    checks = LiveChecks(config=config, clock=SystemClock(), timeout_s=5).checks()
    return {finding.name: finding for finding in await run_checks(checks, lambda _: None)}


def config_of(venue_url, enabled=True, **account):
    live = LiveTradingConfig(enabled=enabled, accounts={"main": AccountConfig(**account)})
    return EngineConfig(venue=VenueConfig(clob_url=venue_url), live=live)


async def open_account(venue, **fields):
    body = {"address": ADDRESS, "signature_type": 0, "collateral_usd": "250", "approved": True, **fields}
    url = venue.urls.control_url + "/accounts"
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as http:
        made = await http.post(url, json=body)
    assert made.status_code == 200, made.text


async def test_an_account_in_order_passes_everything(key_file):
    async with running() as venue:
        await open_account(venue)
        found = await findings(config_of(venue.urls.clob_url, key_file=str(key_file)))
    assert [name for name, one in found.items() if not one.ok] == [], found
    of_account = {f"main {what}" for what in ("key", "wallet", "credentials", "rights", "money")}
    assert set(found) == {"live switches", "live version"} | of_account
    assert ADDRESS in found["main key"].detail
    assert "250 pUSD" in found["main money"].detail
    assert not any(SECRET.hex() in f"{one.detail}{one.hint}" for one in found.values())


async def test_each_thing_that_is_missing_is_named_with_what_to_do(key_file):
    async with running() as venue:
        await open_account(venue, collateral_usd="250", approved=["standard"], closed_only=True)
        found = await findings(config_of(venue.urls.clob_url, enabled=False, key_file=str(key_file)))
    failed = {name: one for name, one in found.items() if not one.ok}
    assert set(failed) == {"live switches", "main rights", "main money"}
    assert "live.enabled" in failed["live switches"].hint
    assert "neg_risk" in failed["main money"].detail
    assert "standard 0x" not in failed["main money"].detail
    assert all(one.hint for one in failed.values())


async def test_an_account_without_money_is_told_where_to_send_it(key_file):
    async with running() as venue:
        await open_account(venue, collateral_usd="0")
        found = await findings(config_of(venue.urls.clob_url, key_file=str(key_file)))
    assert (found["main money"].ok, ADDRESS in found["main money"].hint) == (False, True)


@pytest.mark.parametrize("spoil", ["mode", "link", "absent", "text", "unset"])
async def test_a_key_that_is_not_used_is_told_from_everything_else(key_file, tmp_path, monkeypatch, spoil):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    path = str(key_file)
    if spoil == "mode":
        key_file.chmod(0o640)
    elif spoil == "link":
        path = str(tmp_path / "link")
        (tmp_path / "link").symlink_to(key_file)
    elif spoil == "absent":
        key_file.unlink()
    elif spoil == "text":
        key_file.write_text("hunter2")
    else:
        path = ""
    found = await findings(config_of("http://127.0.0.1:9", key_file=path))
    words = {"mode": "others may read", "link": "symbolic link", "absent": "No such file", "text": "not 64 hex digits",
             "unset": "key_file"}  # fmt: skip
    assert not found["main key"].ok
    assert words[spoil] in found["main key"].detail
    assert "hunter2" not in found["main key"].detail


@pytest.mark.parametrize(
    ("kind", "funder", "word"),
    [(0, SAFE, "signature_type is 0"), (1, ADDRESS, "proxy"), (2, ADDRESS.lower(), "safe"), (3, ADDRESS, "deposit")],
)
def test_a_wallet_that_does_not_go_with_its_signature_type_is_refused(kind, funder, word):
    with pytest.raises(CheckFailedError, match=word) as refused:
        wallet_text(AccountConfig(signature_type=kind, funder=funder), ADDRESS)
    assert refused.value.hint


@pytest.mark.parametrize(("kind", "funder"), [(0, ""), (0, ADDRESS.lower()), (1, SAFE), (2, SAFE), (3, SAFE)])
def test_a_wallet_that_goes_with_its_signature_type_is_named(kind, funder):
    account = AccountConfig(signature_type=kind, funder=funder)
    assert (funder or ADDRESS) in wallet_text(account, ADDRESS)


def test_an_allowance_below_the_balance_is_none():
    standard, neg_risk, positions = [line.split()[1].lower() for line in unallowed({}, 5, 137)]
    assert unallowed({standard: 5, neg_risk: 4, positions: UNLIMITED}, 5, 137) == [f"neg_risk {_as_written(neg_risk)}"]
    assert unallowed({"": UNLIMITED}, 5, 137) == []


def _as_written(address):
    return next(line.split()[1] for line in unallowed({}, 5, 137) if line.split()[1].lower() == address)


@pytest.mark.parametrize("blocked", [True, None, "false"])
def test_a_region_that_is_not_plainly_allowed_is_refused(blocked):
    with pytest.raises(CheckFailedError, match="US NY"):
        region_text({"blocked": blocked, "country": "US", "region": "NY"})
    assert region_text({"blocked": False, "country": "IE", "region": "L"}) == "seen in IE L, not blocked"


async def test_who_does_not_trade_live_is_asked_for_nothing():
    assert LiveChecks(config=EngineConfig(), clock=SystemClock(), timeout_s=1).checks() == []
    switched_on = attrs.evolve(EngineConfig(), live=LiveTradingConfig(enabled=True))
    checks = LiveChecks(config=switched_on, clock=SystemClock(), timeout_s=1).checks()
    [switches, *_] = await run_checks(checks[:1], lambda _: None)
    assert (switches.ok, "live.accounts" in switches.detail) == (False, True)
