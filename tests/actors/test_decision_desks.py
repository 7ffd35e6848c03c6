"""Books and scores for decisions: asked for once, and never waited for longer than said."""

import json
import os
from decimal import Decimal

import attrs
import pytest
import trio
from property.supervised import run_jumping

from actors.book_desk import BookDesk
from actors.score_desk import ScoreDesk
from engine.adapters.score_file import ScoreFile
from protocols.decisions import Absent, Book, Inputs, Present
from protocols.errors import RejectedError, TransientError
from protocols.score_table import read_scores


def inputs(trade_id="t1", wallet="0xa", token_id="7"):
    return Inputs(
        trade_id=trade_id, wallet=wallet, token_id=token_id, condition_id="0x1", side="BUY", price=Decimal("0.5"),
        size_micro=1, trade_ms=0, now_ms=0,
    )  # fmt: skip


@attrs.define
class Depths:
    takes_s: float = 0.05
    mode: str = "ok"
    calls: int = 0

    async def depth(self, token_id):
        self.calls += 1
        await trio.sleep(self.takes_s)
        if self.mode == "down":
            raise TransientError("502")
        return None if self.mode == "none" else Book(bids=(), asks=((Decimal("0.5"), Decimal(1)),), observed_ms=0)


def test_a_book_is_shared_by_those_who_come_within_200_ms_and_asked_for_anew_after():
    desk = BookDesk(upstream=(depths := Depths()))

    async def main():
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(desk.depth, "1")
        await trio.sleep(0.14)
        assert await desk.depth("1") is not None
        assert depths.calls == 1
        await trio.sleep(0.02)
        assert await desk.depth("1") is not None
        assert depths.calls == 2

    run_jumping(main)
    assert desk.results == {"book": 52}


@pytest.mark.parametrize(
    ("mode", "takes_s", "result", "seconds"),
    [("down", 0.1, "unavailable", 0.1), ("none", 0.1, "missing", 0.1), ("ok", 60, "unavailable", 2)],
)
def test_no_book_and_no_answer_are_none_within_two_seconds(mode, takes_s, result, seconds):
    desk = BookDesk(upstream=Depths(takes_s=takes_s, mode=mode))

    async def main():
        assert await desk.depth("1") is None
        assert trio.current_time() == pytest.approx(seconds)

    run_jumping(main)
    assert desk.results == {result: 1}


def test_an_asker_who_is_cancelled_takes_no_other_with_him():
    desk = BookDesk(upstream=(depths := Depths()))

    async def main():
        async with trio.open_nursery() as nursery:
            with trio.move_on_after(0.01):
                nursery.start_soon(waiter)
                await desk.depth("1")

    async def waiter():
        await trio.sleep(0.005)
        assert await desk.depth("1") is not None

    run_jumping(main)
    assert depths.calls == 2


@attrs.define
class Model:
    answer: object = Present(probability=Decimal("0.7"))
    takes_s: float = 0.0

    def at_hand(self, inputs):
        if self.takes_s:
            return None
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def score(self, inputs):
        await trio.sleep(self.takes_s)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Model(), Present(probability=Decimal("0.7"))),
        (Model(Absent(reason="unknown_trade")), Absent(reason="unknown_trade")),
        (Model(takes_s=1), Absent(reason="timeout")),
        (Model(TransientError("down")), Absent(reason="error")),
        (Model(ZeroDivisionError()), Absent(reason="error")),
        (Model(Present(probability=Decimal("1.1"))), Absent(reason="error")),
    ],
)
def test_a_score_is_a_probability_or_absent_for_a_reason_that_is_counted(model, expected):
    desk = ScoreDesk(scorer=model, timeout_ms=200)

    async def main():
        assert await desk.score(inputs()) == expected
        assert trio.current_time() <= 0.2

    run_jumping(main)
    assert desk.results == {"present" if isinstance(expected, Present) else expected.reason: 1}


@pytest.mark.parametrize(
    ("is_csv", "text"),
    [
        (True, "trade_id,wallet,token,probability\nt1,,,0.7\n,0xA,8,0.2\n"),
        (False, '{"trade_id": "t1", "probability": 0.7}\n\n{"wallet": "0xA", "token": "8", "probability": "0.2"}\n'),
    ],
)
def test_scores_are_found_by_trade_else_by_wallet_and_token(is_csv, text):
    table = read_scores(text, is_csv=is_csv)
    assert table.score(inputs()) == Present(probability=Decimal("0.7"))
    assert table.score(inputs("t2", token_id="8")) == Present(probability=Decimal("0.2"))
    assert table.score(inputs("t2")) == Absent(reason="unknown_trade")


@pytest.mark.parametrize(
    ("is_csv", "text", "problem"),
    [
        (False, '{"trade_id": "a", "probability": 0.5}\n{"trade_id": "b", "probability": 1.5}', "line 2: probability"),
        (False, '{"trade_id": "a"}', "line 1: probability"),
        (False, '\n{"trade_id": "a", "wallet": "b", "token": "c", "probability": 0}', "line 2: key"),
        (False, '{"wallet": "b", "probability": 0}', "line 1: key"),
        (False, '{"trade": "b", "probability": 0}', "line 1: unknown_field"),
        (False, "[1]", "line 1: not_an_object"),
        (False, '{"trade_id": "a", "probability": 0.5}\n{"trade_id": "a", "probability": 0.6}', "line 2: another"),
        (True, "trade_id,probability\na,0.5\nb,x", "line 3: probability"),
        (True, "trade_id,probability\na", "line 2: not as many"),
        (True, 'trade_id,probability\n"a,1', "line 2"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_line(is_csv, text, problem):
    with pytest.raises(RejectedError, match=problem):
        read_scores(text, is_csv=is_csv)


async def test_the_file_is_read_again_when_it_changes_and_a_broken_version_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.adapters.score_file.LOOK_S", 0.0)
    path = tmp_path / "scores.jsonl"
    scorer = ScoreFile(path=path)
    with pytest.raises(TransientError, match="No such file"):
        await scorer.score(inputs())
    for number, (text, expected) in enumerate(
        [(json.dumps({"trade_id": "t1", "probability": p}), p) for p in (0.25, 0.5)] + [("{", 0.5)]
    ):
        path.write_text(text)
        os.utime(path, (number, number))
        assert await scorer.score(inputs()) == Present(probability=Decimal(str(expected)))


async def test_without_a_file_there_is_no_scorer():
    assert await ScoreFile(path=None).score(inputs()) == Absent(reason="no_scorer")
