"""A database of the reference's shape with ugly rows, and what an import has to make of it, computed on its own."""

import json

DDL = """
CREATE TABLE profiles (id uuid PRIMARY KEY, email text, user_name text, is_admin boolean, is_premium boolean,
    polymarket_username text, created_at timestamptz DEFAULT now());
CREATE TABLE follows (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid, trader_wallet text, active boolean,
    created_at timestamptz DEFAULT now(), UNIQUE (user_id, trader_wallet));
CREATE TABLE traders (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), wallet_address text UNIQUE, display_name text,
    profile_image text, pnl numeric, volume numeric, roi numeric, win_rate numeric, total_trades integer, rank integer,
    follower_count integer, is_active boolean, last_seen_at timestamptz, updated_at timestamptz DEFAULT now());
CREATE TABLE trades_public (trade_id text PRIMARY KEY, trader_wallet text NOT NULL, trader_id uuid, transaction_hash text,
    asset text, condition_id text NOT NULL, market_slug text, event_slug text, market_title text, side text, outcome text,
    outcome_index smallint, size numeric, price numeric, trade_timestamp timestamptz NOT NULL, raw jsonb,
    ingested_at timestamptz DEFAULT now());
CREATE TABLE markets (condition_id text PRIMARY KEY, gamma_market_id text, market_slug text, slug text, event_slug text,
    title text, question text, category text, tags jsonb, outcomes jsonb, outcome_prices jsonb, tokens jsonb,
    start_time timestamptz, end_time timestamptz, close_time timestamptz, status text, active boolean,
    closed boolean NOT NULL DEFAULT false, winning_side text, resolved_outcome text, image text, icon text,
    last_price_updated_at timestamptz, last_requested_at timestamptz, raw_gamma jsonb);
CREATE TABLE ft_orders (order_id uuid PRIMARY KEY);
CREATE TABLE orders (order_id text PRIMARY KEY, trader_id uuid, copy_user_id uuid, copied_trade_id uuid UNIQUE,
    copied_trader_id uuid, copied_trader_wallet text, copied_trader_username text, copied_market_title text, market_id text,
    outcome text, side text, order_type text, time_in_force text, price numeric, size numeric, filled_size numeric,
    remaining_size numeric, status text, price_when_copied numeric, amount_invested numeric, trade_method text,
    trader_still_has_position boolean, trader_closed_at timestamptz, trader_position_size numeric, current_price numeric,
    market_resolved boolean, market_resolved_at timestamptz, resolved_outcome text, roi numeric,
    notification_closed_sent boolean, notification_resolved_sent boolean, last_checked_at timestamptz,
    user_closed_at timestamptz, user_exit_price numeric, market_slug text, market_avatar_url text,
    auto_close_on_trader_close boolean, auto_close_slippage_percent numeric, lt_strategy_id uuid,
    polymarket_realized_pnl numeric, polymarket_avg_price numeric, polymarket_total_bought numeric,
    polymarket_synced_at timestamptz, raw jsonb, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
"""
ANN, BOB, EVE = (f"{n:08x}-0000-4000-8000-{n:012x}" for n in (1, 2, 3))
FOLLOWED, UNFOLLOWED, KNOWN, STRANGER = ("0x" + digit * 40 for digit in "abcd")
MARKET = "0x" + "11" * 32


def mixed(wallet):
    return "0x" + "".join(c.upper() if i % 2 else c for i, c in enumerate(wallet[2:]))


PROFILES = [
    (ANN, "ann@example.org", "ann", True),
    (BOB, "bob.b@example.org", None, None),
    (EVE, None, "admin", False),
]
FOLLOWS = [
    (ANN, mixed(FOLLOWED), True),
    (ANN, FOLLOWED, False),
    (BOB, UNFOLLOWED, False),
    (BOB, "0x123", True),
    ("00000009-0000-4000-8000-000000000009", FOLLOWED, True),
]
TRADERS = [
    (mixed(KNOWN), "Known \U0001f600", "12.5", "0.5"),
    (KNOWN, "again", "1", "1"),
    (FOLLOWED, None, "NaN", "55"),
    ("nobody", None, None, None),
]
GAMMA = {"conditionId": MARKET, "question": "Real?", "outcomes": '["Up", "Down"]', "clobTokenIds": '["71", "72"]'}
MARKETS = [
    # condition id, outcomes, outcome_prices, tokens, resolved_outcome, raw_gamma
    (MARKET, ["Up", "Down"], {"outcomes": ["Down", "Up"], "outcomePrices": ["0.25", "0.75"]}, None, "resolved", GAMMA),
    ("0x" + "22" * 32, ["Yes", "No"], ["1", "0"], [{"token_id": "81", "outcome": "Yes"}, {"token_id": "82",
     "outcome": "No"}], "Yes", None),
    ("0x" + "33" * 32, ["Yes", "No"], [55, 45], None, None, None),
    ("0x" + "44" * 32, ["Yes", "No"], None, None, None, GAMMA),
    ("0x" + "55" * 31, '["Yes", "No"]', '{"Yes": 0.1, "No": 0.9}', "junk", None, None),
]  # fmt: skip


def tx(number):
    return "0x" + f"{number:064x}"


def trades(count=700):
    """Rows in the order of trade time: (trade_id, wallet, tx, asset, side, outcome, size, price, second, raw)."""
    rows = []
    for n in range(count):
        wallet = [mixed(FOLLOWED), KNOWN, STRANGER][n % 3]
        side = ["BUY", "sell", "Buy"][n % 3]
        rows.append((f"t{n}", wallet, tx(n), "71", side, "YES", f"{n + 1}.1234567", "0.1234567890123456789", n, {}))
    last = rows[-1][8] + 1
    same = (FOLLOWED, tx(900), "72", "BUY", None, "5", "0.5", last, {"outcome": "Down", "name": "N\ufffdme"})
    rows += [("equal-1", *same), ("equal-2", *same)]
    # Without columns: everything comes out of the payload, which was stored as a text; the hash out of the trade's id.
    raw = json.dumps({"asset": "71", "side": "BUY", "size": 2.5, "price": "0.25", "outcome": "Up", "title": "T"})
    rows.append((tx(901), KNOWN, None, None, None, None, "NaN", None, last + 1, raw))
    bad = [
        ("no-hash", KNOWN, None, "71", "BUY", None, "1", "0.5"),
        ("nan", KNOWN, tx(902), "71", "BUY", None, "NaN", "0.5"),
        ("price", KNOWN, tx(903), "71", "BUY", None, "1", "55"),
        ("price-2", KNOWN, tx(904), "71", "BUY", None, "1", "-1"),
        ("side", KNOWN, tx(905), "71", "MERGE", None, "1", "0.5"),
        ("no-side", KNOWN, tx(906), "71", None, None, "1", "0.5"),
        ("wallet", "0xshort", tx(907), "71", "BUY", None, "1", "0.5"),
    ]
    rows += [(*row, last + 2, None) for row in bad]
    return rows


REFUSED_TRADES = {"transaction_hash": 1, "size": 1, "price": 2, "side": 1, "not_a_trade": 1, "wallet": 1}

MOMENT = "2026-03-02T12:00:00+00:00"
COPY = {
    "copy_user_id": ANN, "copied_trader_wallet": mixed(FOLLOWED), "market_id": MARKET, "outcome": "UP", "side": "buy",
    "price": "0.5", "price_when_copied": "0.25", "size": "10", "filled_size": "8", "status": "Matched",
    "trade_method": "quick", "created_at": MOMENT, "updated_at": MOMENT,
}  # fmt: skip
OWN = {
    "current_price": "0.4",
    "last_checked_at": MOMENT,
    "notification_closed_sent": True,
    "polymarket_realized_pnl": "5.5",
}
# Each as it differs from COPY, and what has to be left out of it.
ORDERS = [
    ("c01", OWN, []),
    ("c02", {"side": "SELL", "price_when_copied": None, "user_exit_price": "0.9"}, ["user_exit_price of a sale"]),
    ("c03", {"user_exit_price": "0.75", "user_closed_at": MOMENT, "raw": {"asset": "72", "x": "a\u0001b"}}, []),
    ("c04", {"outcome": None}, ["outcome is not known"]),
    ("c05", {"outcome": "Sideways", "current_price": "55"}, ["current_price"]),
    ("c06", {"copied_trader_wallet": "0xshort", "roi": "NaN"}, ["copied_trader_wallet", "roi"]),
    ("c07", {"market_resolved": True, "resolved_outcome": "Resolved"}, ["resolved_outcome is no outcome"]),
    ("c08", {"market_resolved": True, "resolved_outcome": "https://uma.example"}, ["resolved_outcome is no outcome"]),
    ("c09", {"size": "0", "filled_size": None, "amount_invested": "2"}, []),
    ("c10", {"market_id": "0x" + "99" * 32, "outcome": "Yes", "raw": {"tokenId": 4242}}, []),
    ("c11", {"market_id": "0x" + "99" * 32, "outcome": "No", "filled_size": "-1"}, ["filled_size"]),
]  # fmt: skip
BAD_ORDERS = [
    ("x1", {"side": "MERGE"}, "side"),
    ("x2", {"side": None}, "side"),
    ("x3", {"status": "dreaming"}, "status"),
    ("x4", {"copy_user_id": None}, "copy_user_id"),
    ("x5", {"copy_user_id": "00000009-0000-4000-8000-000000000009"}, "user_unknown"),
    ("x6", {"market_id": " "}, "market_id"),
    ("x7", {"market_id": "nonsense"}, "market_id"),
    ("y" * 101, {}, "order_id"),
]
ORDER_TOKENS = {"c01": "71", "c02": "71", "c03": "72", "c04": None, "c05": None, "c06": "71", "c07": "71", "c08": "71",
                "c09": "71", "c10": "4242", "c11": None}  # fmt: skip
