"""`polycopy replay` as people call it."""

import json
from pathlib import Path

from click.testing import CliRunner

from engine.cli.main import main

ROW = {
    "proxyWallet": "0x" + "1" * 40, "side": "BUY", "asset": "123", "conditionId": "0x" + "a" * 64, "size": 100,
    "price": 0.5, "timestamp": 1_700_000_000, "transactionHash": "0x" + "b" * 64, "outcome": "Yes", "outcomeIndex": 0,
}  # fmt: skip


def test_replay_prints_and_saves_the_same_document(tmp_path: Path) -> None:
    (tmp_path / "tape.jsonl").write_text(json.dumps(ROW))
    (tmp_path / "bots.toml").write_text('[bots.ONE]\nmin_edge = ""\nmin_trader_resolved_count = 0\n')
    saved = tmp_path / "out.json"
    arguments = ["replay", str(tmp_path / "tape.jsonl"), "--bots", str(tmp_path / "bots.toml"), "--out", str(saved)]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    assert result.stdout_bytes == saved.read_bytes()
    assert json.loads(result.stdout)["bots"]["ONE"]["figures"]["orders"] == 1
    shown = CliRunner().invoke(main, arguments)
    assert "every wallet of the tape" in shown.output
    assert "1 positions are unsettled" in shown.output


def test_replay_says_what_is_wrong_with_its_files(tmp_path: Path) -> None:
    empty, bots = tmp_path / "tape.jsonl", tmp_path / "bots.toml"
    empty.write_text("")
    result = CliRunner().invoke(main, ["replay", str(empty)])
    assert result.exit_code == 1
    assert "no trade rows" in result.output
    assert CliRunner().invoke(main, ["replay", str(tmp_path / "none")]).exit_code == 2
    bots.write_text("[bots.A]\nprice_min = 5\n[bots.B]\nno_such = 1\n")
    result = CliRunner().invoke(main, ["replay", str(empty), "--bots", str(bots)])
    assert result.exit_code != 0
    assert "A.price_min" in result.output
    assert "B.no_such" in result.output


def test_replay_saves_a_page_in_which_texts_of_the_tape_do_nothing(tmp_path: Path) -> None:
    hostile = "</title><script>alert(1)</script>"
    rows = [
        ROW | {"title": hostile},
        ROW | {"title": hostile, "price": 0.7, "timestamp": 1_700_000_100, "transactionHash": "0x" + "c" * 64},
    ]
    (tmp_path / "tape.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "bots.toml").write_text('[bots.A]\nmin_edge = ""\nmin_trader_resolved_count = 0\n[bots.NONE]\n')
    arguments = ["replay", str(tmp_path / "tape.jsonl"), "--bots", str(tmp_path / "bots.toml")]
    for name in ("one.html", "two.html"):
        result = CliRunner().invoke(main, [*arguments, "--html", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
    text = (tmp_path / "one.html").read_text()
    assert text == (tmp_path / "two.html").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "http" not in text
    assert text.count("<svg") == text.count("<section") == 2
    assert "Orders (2)" in text


def test_replay_says_why_no_bot_bought(tmp_path: Path) -> None:
    (tmp_path / "tape.jsonl").write_text(json.dumps(ROW))
    result = CliRunner().invoke(main, ["replay", str(tmp_path / "tape.jsonl"), "--wallets", "0x" + "2" * 40])
    assert result.exit_code == 0, result.output
    assert "See --wallets" in result.output
    (tmp_path / "bots.toml").write_text("[bots.STRICT]\nmin_trader_resolved_count = 5\n")
    result = CliRunner().invoke(main, ["replay", str(tmp_path / "tape.jsonl"), "--bots", str(tmp_path / "bots.toml")])
    assert "give it with --stats" in result.output
