"""Positions held and closed by the Data API, against a server that says what the test wants."""

import pytest
from engine_adapters.account_server import (
    AT_S,
    STRANGER,
    WALLET,
    Server,
    all_pages,
    all_rows,
    closed,
    closed_v2,
    held,
    held_v2,
    standing,
    trade,
    v2,
)
from property.made_trades import condition

from engine.adapters.data_api import V1_FOR_MS
from protocols.errors import RejectedError, TransientError
from protocols.trader_accounts import Board, Period


async def test_holdings_go_on_by_cursor_and_every_address_is_new():
    server = Server(pages={"/v2/positions": [v2([held_v2(1), held_v2(2)], "c1"), v2([held_v2(3)])]})
    rows = await all_rows(server.accounts().held_page, wallet=WALLET.upper().replace("X", "x"), condition_ids=())
    assert [row.token_id for row in rows] == ["1", "2", "3"]
    assert [url.params.get("cursor") for url in server.asked] == [None, "c1"]
    assert {url.params["user"] for url in server.asked} == {WALLET}
    assert len({url.params["_"] for url in server.asked}) == 2
    # All that is held: no status leaves out what is worthless, and dust is not hidden.
    (first, _) = server.asked
    assert "status" not in first.params
    assert (first.params["filter_type"], first.params["filter_amount"], first.params["limit"]) == (
        "TOKENS",
        "0",
        "1000",
    )


async def test_holdings_of_some_markets():
    rows = [held_v2(1), held_v2(2), held_v2(3, condition_id="0x" + "a" * 62)]
    server = Server(pages={"/v2/positions": [v2(rows)]})
    page = await server.accounts().held_page(WALLET, condition_ids=(condition(1), "0x" + "A" * 62))
    assert [row.token_id for row in page.rows] == ["1", "3"]
    assert server.asked[0].params["condition_id"] == f"{condition(1)},0x{'A' * 62}"
    with pytest.raises(RejectedError, match="20"):
        await server.accounts().held_page(WALLET, condition_ids=(condition(1),) * 21)


async def test_rows_of_others_make_a_page_incomplete():
    server = Server(pages={"/v2/positions": [v2([held_v2(1), held_v2(2, proxy_wallet=STRANGER)])] * 2})
    page = await server.accounts().held_page(WALLET)
    assert (len(page.rows), page.malformed, page.rows_sent) == (1, {"another_wallet": 1}, 2)


@pytest.mark.parametrize("gone", [404, 410])
async def test_each_list_falls_back_by_itself_for_an_hour(gone):
    server = Server(
        lists={"/positions": [held(1)], "/closed-positions": [closed(1, AT_S)], "/activity": [trade(1, AT_S)],
               "/v1/leaderboard": [standing(1)]},
        pages={"/v2/leaderboard": [v2([])]},
        statuses={"/v2/positions": gone, "/v2/activity": gone},
    )  # fmt: skip
    accounts = server.accounts()
    assert len((await accounts.held_page(WALLET)).rows) == 1
    assert len((await accounts.held_page(WALLET)).rows) == 1
    assert len((await accounts.closed_page(WALLET)).rows) == 1
    assert len((await accounts.activity_page(WALLET, since_s=0, until_s=AT_S)).trades) == 1
    assert (await accounts.leaderboard_page(Board.PNL, Period.ALL)).rows == ()
    assert server.paths() == [
        "/v2/positions", "/positions", "/positions", "/v2/positions", "/closed-positions", "/v2/activity", "/activity",
        "/v2/leaderboard",
    ]  # fmt: skip
    server.clock.ms += V1_FOR_MS
    server.statuses.clear()
    server.pages["/v2/positions"] = [v2([])]
    assert (await accounts.held_page(WALLET)).rows == ()


async def test_where_neither_version_is_there_it_may_be_one_later():
    with pytest.raises(TransientError, match="neither"):
        await Server().accounts().held_page(WALLET)


async def test_many_holdings_by_offset_are_read_whole_with_dust_and_worthless_ones():
    server = Server(lists={"/positions": [held(number) for number in range(1, 1_203)]})
    rows = await all_rows(server.accounts().held_page, wallet=WALLET)
    assert [row.token_id for row in rows] == [str(number) for number in range(1, 1_203)]
    asked = server.asked[1:]
    assert [url.params["offset"] for url in asked] == ["0", "499", "998"]
    assert {(url.params["sizeThreshold"], url.params["limit"], url.params["sortBy"]) for url in asked} == {
        ("0", "500", "TITLE")
    }


async def test_holdings_that_move_while_they_are_read_are_begun_again():
    server = Server(lists={"/positions": [held(number) for number in range(1, 600)]})
    accounts = server.accounts()
    first = await accounts.held_page(WALLET)
    del server.lists["/positions"][10]
    with pytest.raises(TransientError, match="moved"):
        await accounts.held_page(WALLET, cursor=first.next_cursor)
    server.lists["/positions"].insert(0, held(9_999))
    assert len(await all_rows(accounts.held_page, wallet=WALLET)) == 599


async def test_the_last_page_for_ever_ends_a_list_as_a_refusal():
    server = Server(lists={"/positions": [held(number) for number in range(1, 12_000)]}, cap=1_000)
    with pytest.raises(RejectedError, match="same page"):
        await all_pages(server.accounts().held_page, wallet=WALLET)
    assert len(server.asked) < 8
    server = Server(lists={"/positions": [held(number) for number in range(1, 12_000)]})
    with pytest.raises(RejectedError, match="10000"):
        await all_pages(server.accounts().held_page, wallet=WALLET)
    assert max(int(url.params["offset"]) for url in server.asked[1:]) <= 10_000


async def test_a_cursor_that_leads_to_itself_is_refused():
    server = Server(pages={"/v2/positions": [v2([held_v2(1)], "c1"), v2([held_v2(2)], "c1")]})
    with pytest.raises(RejectedError, match="for ever"):
        await all_pages(server.accounts().held_page, wallet=WALLET)


async def test_closed_positions_end_where_older_ones_begin():
    rows = [closed(number, AT_S - number) for number in range(120)]
    server = Server(lists={"/closed-positions": rows}, statuses={"/v2/positions": 404})
    accounts = server.accounts()
    assert len(await all_rows(accounts.closed_page, wallet=WALLET)) == 120
    server.asked.clear()
    recent = await all_rows(accounts.closed_page, wallet=WALLET, since_ms=(AT_S - 60) * 1000 + 999)
    assert [row.token_id for row in recent] == [str(number) for number in range(61)]
    assert [(url.params["offset"], url.params["limit"]) for url in server.asked] == [("0", "50"), ("49", "50")]
    assert {(url.params["sortBy"], url.params["sortDirection"]) for url in server.asked} == {("TIMESTAMP", "DESC")}


async def test_closed_positions_in_another_order_than_asked_are_read_to_their_end():
    rows = [closed(number, AT_S - number * 37 % 100) for number in range(120)]
    server = Server(lists={"/closed-positions": rows}, statuses={"/v2/positions": 404})
    recent = await all_rows(server.accounts().closed_page, wallet=WALLET, since_ms=(AT_S - 10) * 1000)
    assert len(recent) == sum(row["timestamp"] >= AT_S - 10 for row in rows)


async def test_new_closes_at_the_front_repeat_and_skip_nothing():
    rows = [closed(number, AT_S - number) for number in range(200)]
    server = Server(lists={"/closed-positions": rows}, statuses={"/v2/positions": 404})
    numbers = iter(range(1_000, 2_000))
    server.then = lambda: [rows.insert(0, closed(next(numbers), AT_S + 1)) for _ in range(7)]
    found = [row.token_id for row in await all_rows(server.accounts().closed_page, wallet=WALLET)]
    assert found == [str(number) for number in range(200)]


async def test_closed_positions_of_v2_are_asked_by_status_and_time():
    rows = [closed_v2(number, AT_S - number) for number in range(4)]
    server = Server(pages={"/v2/positions": [v2(rows, "c1")]})
    page = await server.accounts().closed_page(WALLET, since_ms=(AT_S - 2) * 1000)
    assert ([row.token_id for row in page.rows], page.next_cursor) == (["0", "1", "2"], None)
    params = server.asked[0].params
    assert (params["status"], params["sort_by"], params["start"]) == ("CLOSED", "TIMESTAMP", str(AT_S - 3))


@pytest.mark.parametrize("body", ["<html>", {"error": "x"}, {"data": 7}, '{"data":[{"a":1'])
async def test_an_answer_that_makes_no_sense_is_no_page(body):
    for path, ask in (
        ("/v2/positions", lambda accounts: accounts.held_page(WALLET)),
        ("/v2/positions", lambda accounts: accounts.closed_page(WALLET)),
        ("/v2/activity", lambda accounts: accounts.activity_page(WALLET, since_s=0, until_s=1)),
        ("/v2/leaderboard", lambda accounts: accounts.leaderboard_page(Board.PNL, Period.DAY)),
    ):
        with pytest.raises(TransientError):
            await ask(Server(pages={path: [body]}).accounts())


@pytest.mark.parametrize(
    ("status", "error"),
    [(502, TransientError), (503, TransientError), (408, TransientError), (429, TransientError), (400, RejectedError)],
)
async def test_what_is_no_answer_is_no_page_and_leads_to_no_other_version(status, error):
    server = Server(lists={"/positions": [held(1)]}, statuses={"/v2/positions": status})
    with pytest.raises(error):
        await server.accounts().held_page(WALLET)
    assert server.paths() == ["/v2/positions"]
