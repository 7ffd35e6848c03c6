"""A simulator for the official clients: one market whose book a test knows."""

import json
from contextlib import asynccontextmanager

from simulator_clients import running

from protocols.venue.order_typed_data import keccak256

KEY = "0x" + keccak256(b"a user of an official client").hex()


@asynccontextmanager
async def market_of(*, negative_risk):
    """100 bid at 0.39, 20 asked at 0.40, 100 at 0.41. Settlement takes a fiftieth of its time."""
    async with running(lag_scale=0.02) as venue:
        markets = (await venue.gamma("/markets?limit=50")).json()
        market = next(each for each in markets if each["orderPriceMinTickSize"] == 0.01)
        token = json.loads(market["clobTokenIds"])[0]
        changed = {"taker_delay": False, "seconds_delay": 0, "negative_risk": negative_risk}
        await venue.control("/market", {"token_id": token, **changed})
        asks = [["0.40", 20], ["0.41", 100]]
        await venue.control("/book", {"token_id": token, "bids": [["0.39", 100]], "asks": asks})
        yield venue, token


async def wallet_seen(venue, wallet):
    """What the exchange says of a wallet."""
    return (await venue.http.get(f"{venue.urls.control_url}/accounts/{wallet}")).json()
