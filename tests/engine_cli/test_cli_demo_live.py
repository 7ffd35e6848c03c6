"""The demo with simulated money, and whether its word on the ledger is worth anything."""

from decimal import Decimal

import attrs
import click
import pytest
from engine_cli.cli_process import json_of, polycopy
from engine_postgres.server_fixtures import scratch_directory

from config.live_trading import AccountConfig
from config.loader import load_config
from engine.adapters.postgres.privileges import default_data_dir
from engine.cli.demo_ledger import FIGURES, problems_of
from engine.cli.demo_live import OVERRIDES, open_demo_live

D = Decimal
LOCAL = {
    f"venue.{name}_url": f"{scheme}://127.0.0.1:9"
    for name, scheme in (("rtds", "ws"), ("clob_ws", "ws"), ("clob", "http"), ("gamma", "http"), ("data", "http"))
}


@pytest.mark.timeout(120)
def test_the_demo_trades_a_simulated_account_through_the_whole_path():
    with scratch_directory() as home:
        data = {"XDG_DATA_HOME": str(home), "HOME": str(home), "POLYCOPY_DATABASE__DATA_DIR": str(home / "postgres")}
        began_s = home.stat().st_mtime
        done = polycopy("demo", "--live-sim", "--seconds", 3, "--rate", 3, "--json", env=data)
        assert done.returncode == 0, done.stderr
        result = json_of(done)
        assert (result["ledger_ok"], result["ledger_problems"]) == (True, [])
        assert 0 < result["orders_filled"] <= result["orders_sent"]
        assert 0 < result["trade_to_order_ms"]["p50"] <= result["trade_to_order_ms"]["p99"]
        assert set(result["live"]) == {"LT_DEMO_MIRROR", "LT_DEMO_LONGSHOTS"}
        for row in result["live"].values():
            money = {name: D(row[name]) for name in FIGURES}
            assert money["available"] + money["locked"] + money["cooldown"] == money["initial"] + money["realized_pnl"]
            assert money["locked"] > 0
        # As root it is made beside the system's data, not below this home.
        for place in (home, default_data_dir().parent):
            assert not [key for key in place.rglob("demo.key") if key.stat().st_mtime > began_s]


def test_the_key_is_new_and_for_its_owner_alone(tmp_path):
    one, other = open_demo_live(tmp_path / "one"), open_demo_live(tmp_path / "other")
    assert one.address != other.address
    assert (one.key_file.stat().st_mode & 0o777, one.key_file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_demo_trades_with_no_account_but_its_own(tmp_path):
    demo = open_demo_live(tmp_path / "demo")
    config = load_config(environ={}, overrides={**LOCAL, **OVERRIDES, "live.accounts.main.key_file": "/a/real/key"})
    own = demo.only_simulated(config)
    assert own.live.accounts == {"demo": AccountConfig(key_file=str(demo.key_file))}
    for name in LOCAL:
        scheme = LOCAL[name].partition(":")[0]
        elsewhere = load_config(environ={}, overrides={**LOCAL, **OVERRIDES, name: f"{scheme}s://polymarket.com"})
        with pytest.raises(click.ClickException, match="not on this machine"):
            demo.only_simulated(elsewhere)
    theirs = load_config(environ={"POLYCOPY_DATABASE__URL": "postgresql://x@127.0.0.1/x"}, overrides=LOCAL)
    with pytest.raises(click.ClickException, match=r"database\.url"):
        demo.only_simulated(theirs)
    assert attrs.evolve(own, live=config.live) == config


def order(**changes):
    return {
        "strategy_id": "LT_A", "cause": "t1", "attempt": 0, "side": "BUY", "status": "FILLED", "ended": True,
        "order_hash": "0x1", "token_id": "7", "version": 3, "filled_shares": D(10), "filled_usd": D(5), "fee_usd": D("0.1"),
        "shares_open": D(6), "cost_open": D("3.06"), "outcome": "OPEN", "fill_shares": D(10), "fill_fee": D("0.1"),
        "unsettled": 0, "sold": D(4), **changes,
    }  # fmt: skip


SALE = order(
    cause="x", side="SELL", order_hash="0x2", filled_shares=D(4), filled_usd=D(3), fee_usd=D(0), fill_shares=D(4),
    fill_fee=D(0), shares_open=D(0), cost_open=D(0), outcome="NONE", sold=D(0),
)  # fmt: skip
MONEY = {
    "initial": D(100), "available": D("94.90"), "locked": D("3.06"), "cooldown": D(3), "realized_pnl": D("0.96"), "drift": D(0),
}  # fmt: skip
STRATEGY = {"strategy_id": "LT_A", "waiting": D(3), **MONEY, **{f"l_{name}": value for name, value in MONEY.items()}}
VENUE = {"posts": {"0x1": 1, "0x2": 1}, "positions": {"7": 6}, "collateral_usd": 997.9}


def problems(strategy=STRATEGY, orders=None, venue=VENUE):
    return problems_of([strategy], [order(), SALE] if orders is None else orders, venue, D(1_000))


def test_what_adds_up_has_no_problem():
    assert problems() == []


@pytest.mark.parametrize("figure", [*FIGURES, "waiting"])
def test_money_that_is_not_its_ledger_is_a_problem(figure):
    assert problems({**STRATEGY, figure: STRATEGY[figure] + D("0.000001")})
    if figure != "waiting":
        assert problems({**STRATEGY, f"l_{figure}": STRATEGY[f"l_{figure}"] + D("0.000001")})


@pytest.mark.parametrize(
    "changes",
    [
        {"ended": False}, {"unsettled": 1}, {"filled_shares": D("10.000001")}, {"fee_usd": D("0.100001")},
        {"shares_open": D(7)}, {"cost_open": D(3)}, {"sold": D(5)}, {"filled_usd": D("5.01")}, {"token_id": "8"},
        {"order_hash": "0x9"}, {"order_hash": None},
    ],
)  # fmt: skip
def test_an_order_that_does_not_fit_is_a_problem(changes):
    assert problems(orders=[order(**changes), SALE])


@pytest.mark.parametrize(
    "changes",
    [
        {"posts": {**VENUE["posts"], "0x3": 1}}, {"posts": {"0x1": 2, "0x2": 1}}, {"positions": {}},
        {"positions": {"7": 6.01}}, {"positions": {"7": 6, "9": 1}}, {"collateral_usd": 997.89},
    ],
)  # fmt: skip
def test_a_venue_that_says_something_else_is_a_problem(changes):
    assert problems(venue={**VENUE, **changes})
