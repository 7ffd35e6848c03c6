import json
import shutil
import subprocess
from pathlib import Path

import attrs
import pytest
import trio
from official_client_market import KEY, market_of, wallet_seen

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("drive_clob_client.mjs")
PACKAGES = ("@polymarket/clob-client-v2@1", "viem@2", "ws@8")


@pytest.fixture(scope="module")
def node_project(tmp_path_factory):
    """A directory with the client in it; the package comes from the registry."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    place = tmp_path_factory.mktemp("clob-client")
    (place / "package.json").write_text('{"private": true, "type": "module"}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=100)
    except subprocess.TimeoutExpired:
        pytest.skip("the registry of npm does not answer")
    if done.returncode:
        pytest.skip(f"the client cannot be had from npm: {done.stderr[-300:]}")
    shutil.copy(SCRIPT, place)
    return place


@pytest.mark.parametrize(
    ("signature_type", "negative_risk"),
    [(0, False), (0, True), (1, False), (2, True), (3, False)],
)
async def test_the_typescript_client_trades_and_streams(node_project, signature_type, negative_risk):
    funder = {} if signature_type == 0 else {"funder": "0x" + "5a" * 20}
    async with market_of(negative_risk=negative_risk) as (venue, token):
        task = {**attrs.asdict(venue.urls), "key": KEY, "token": token, "signature_type": signature_type, **funder}
        with trio.fail_after(60):
            done = await trio.run_process(
                ["node", str(node_project / SCRIPT.name)],
                stdin=json.dumps(task).encode(),
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )
        assert done.returncode == 0, done.stderr.decode()[-3_000:]
        (line,) = [each for each in done.stdout.decode().splitlines() if each.startswith("REPORT ")]
        report = json.loads(line.removeprefix("REPORT "))
        account = await wallet_seen(venue, report["wallet"])
    assert report["sameCreds"]
    assert report["keys"] == [report["key"]]
    assert [report[name]["status"] for name in ("gtc", "gtd", "postOnly")] == ["live"] * 3
    assert report["order"]["status"] == "ORDER_STATUS_LIVE"
    assert report["postOnlyCrossing"]["error"] == "invalid post-only order: order crosses book"
    assert report["open"] == ["0.3", "0.31", "0.32"]
    assert (report["fak"]["status"], report["fak"]["takingAmount"]) == ("matched", "20")
    assert "FOK orders are fully filled or killed" in report["fokKilled"]["error"]
    assert [each["id"] for each in report["trades"]] == report["fak"]["tradeIDs"]
    assert report["shares"]["balance"] == "20000000"
    assert (report["sold"]["makingAmount"], report["sold"]["takingAmount"]) == ("5", "1.95")
    assert report["cancelled"]["canceled"] == [report["gtc"]["orderID"]]
    assert len(report["cancelledAll"]["canceled"]) == 2
    assert report["left"] == []
    assert report["heartbeats"][0] != report["heartbeats"][1]
    first = [each["status"] for each in report["userEvents"] if each.get("id") == report["fak"]["tradeIDs"][0]]
    assert first == ["MATCHED", "MINED", "CONFIRMED"]
    killed = [each for each in report["userEvents"] if each["event_type"] == "order" and each["size_matched"] == ""]
    assert [each["original_size"] for each in killed] == ["900"]
    kinds = [each["event_type"] for each in report["marketEvents"]]
    assert kinds[0] == "book"
    assert set(kinds) == {"book", "price_change", "last_trade_price"}
    assert account["positions"] == {token: 15}
    assert account["signature_type"] == signature_type
