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
