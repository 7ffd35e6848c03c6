"""Activity and leaderboards by the Data API, against a server that says what the test wants."""

import pytest
from engine_adapters.account_server import AT_S, STRANGER, WALLET, Server, all_pages, all_rows, standing, trade, v2
from property.made_trades import condition, transaction

from protocols.errors import RejectedError
from protocols.trader_accounts import Board, Period


async def test_activity_by_time_has_every_row_once():
    rows = [trade(number, AT_S - number // 3) for number in range(1_300)]
    server = Server(lists={"/activity": rows}, statuses={"/v2/activity": 404})
    pages = await all_pages(server.accounts().activity_page, wallet=WALLET, since_s=AT_S - 400, until_s=AT_S - 10)
    hashes = [item.row.transaction_hash for page in pages for item in page.trades]
    expected = [row["transactionHash"] for row in rows if AT_S - 400 <= row["timestamp"] <= AT_S - 10]
    assert hashes == expected
    assert len(pages) == 3


async def test_activity_of_v2_keeps_to_the_time_whatever_is_sent():
    row = {"proxy_wallet": WALLET, "type": "REDEEM", "condition_id": condition(1), "size": 1}
    rows = [row | {"transaction_hash": transaction(at + 5), "timestamp": AT_S + at} for at in (2, 1, 0, -1)]
    server = Server(pages={"/v2/activity": [v2([*rows, rows[1] | {"proxy_wallet": STRANGER}])]})
    page = await server.accounts().activity_page(WALLET, since_s=AT_S, until_s=AT_S + 1)
    assert [item.at_ms // 1000 - AT_S for item in page.others] == [1, 0]
    assert (page.malformed, page.rows_sent) == ({"another_wallet": 1}, 5)


@pytest.mark.parametrize(("board", "name"), [(Board.PNL, "PNL"), (Board.VOLUME, "VOL")])
async def test_a_leaderboard_of_v1_is_read_as_far_as_it_goes(board, name):
    server = Server(lists={"/v1/leaderboard": [standing(rank) for rank in range(1, 3_000)]})
    accounts, found = server.accounts(), []

    async def read_on(cursor):
        page = await accounts.leaderboard_page(board, Period.WEEK, cursor=cursor)
        found.extend(page.rows)
        await read_on(page.next_cursor)

    with pytest.raises(RejectedError, match="1000"):
        await read_on(None)
    assert [row.rank for row in found] == list(range(1, 1_051))
    params = server.asked[-1].params
    assert (params["orderBy"], params["timePeriod"], params["limit"]) == (name, "WEEK", "50")


async def test_a_leaderboard_that_repeats_its_last_page_is_refused_and_a_short_one_ends():
    server = Server(lists={"/v1/leaderboard": [standing(rank) for rank in range(1, 1_000)]}, cap=100)
    with pytest.raises(RejectedError, match="same page"):
        await all_pages(server.accounts().leaderboard_page, board=Board.PNL, period=Period.ALL)
    server = Server(lists={"/v1/leaderboard": [standing(rank) for rank in range(1, 121)]})
    rows = await all_rows(server.accounts().leaderboard_page, board=Board.PNL, period=Period.ALL)
    assert [row.rank for row in rows] == list(range(1, 121))


async def test_a_leaderboard_of_v2_is_asked_by_cursor():
    rows = [{"rank": rank, "user_id": f"0x{rank:040x}", "pnl": 1.5, "volume": 2} for rank in (1, 2)]
    server = Server(pages={"/v2/leaderboard": [v2(rows[:1], "c1"), v2(rows[1:])]})
    found = await all_rows(server.accounts().leaderboard_page, board=Board.VOLUME, period=Period.MONTH)
    assert [row.rank for row in found] == [1, 2]
    params = server.asked[0].params
    assert (params["sort_by"], params["time_period"], params["limit"]) == ("VOLUME", "month", "1000")
