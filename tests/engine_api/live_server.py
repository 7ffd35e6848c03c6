"""Live strategies over HTTP: routes over a database, users with tokens, a running engine's passes."""

import attrs
from engine_api.api_server import TOKEN, principal

from engine.adapters.postgres.live_report_store import LiveReportStore
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.api.lt_control_routes import lt_control_routes
from engine.api.lt_report_bodies import LiveSwitches
from engine.api.lt_report_routes import lt_report_routes
from engine.api.lt_strategy_routes import lt_strategy_routes
from protocols.live.operating import LiveJobs
from protocols.users import Scope

OTHER_ID = "00000000-0000-4000-8000-000000000002"
USERS = "INSERT INTO profiles (id, user_name) VALUES ($1::text::uuid, 'ann'), ($2::text::uuid, 'bob')"
BEARERS = {
    TOKEN: principal(Scope.READ, Scope.TRADE),
    "reader": principal(Scope.READ, token_id="t2"),
    "bob": attrs.evolve(principal(Scope.READ, Scope.TRADE, token_id="t3"), user_id=OTHER_ID, user_name="bob"),
    "admin": attrs.evolve(principal(*Scope, token_id="t4"), user_id=OTHER_ID, user_name="bob"),
}
PATH = "/api/lt/strategies"
ACCOUNTS = {"main": "ann", "bobs": "bob"}
SWITCHES = LiveSwitches(enabled=True, started=False)
ORDER = """
INSERT INTO lt_orders (lt_order_id, strategy_id, account, cause, attempt, origin, part, side, condition_id, token_id,
    signal_price, signal_at, decided_at, order_hash, signed_body, size_shares, lock_usd, limit_price, status, filled_shares,
    filled_usd, shares_open, cost_open, outcome, created_at)
SELECT gen_random_uuid(), $1, 'main', 'cause ' || n, 1, 'copy', 'now', 'BUY', 'c', 't', 0.5, now(), now(),
    '0x' || lpad(to_hex(n), 64, '0'), 'x', 10, 5, 0.5, 'PARTIAL', 4, 2, 4, 2, 'OPEN',
    '2026-01-01T00:00:00Z'::timestamptz + n / 3 * interval '1 microsecond'
FROM generate_series(1, $2::integer) AS n
"""
LOG = """
INSERT INTO lt_execute_logs (log_day, created_at, level, message, stage, trace_id, execution_id, strategy_id)
SELECT current_date, now() + n * interval '1 s', CASE WHEN n % 2 = 0 THEN 'info' ELSE 'warn' END,
    CASE WHEN n < 3 THEN 'SELL it' ELSE 'TRADE' END, 'RISK_CHECK', 'trace ' || n, 'batch', $1
FROM generate_series(1, 6) AS n
"""


@attrs.define
class Passes:
    """A running engine's passes, or none."""

    running: bool = True
    done: list[str] = attrs.field(factory=list)

    async def compare(self):
        self.done.append("compare")

    async def settle(self):
        self.done.append("settle")

    def look(self):
        self.done.append("look")

    def jobs(self):
        return LiveJobs(compare=self.compare, settle=self.settle, look=self.look) if self.running else None


def routes_of(pool, passes):
    store, reports = LiveStrategyStore(pool), LiveReportStore(pool)
    return [
        *lt_strategy_routes(store, reports, StrategyStore(pool), ACCOUNTS),
        *lt_report_routes(reports, accounts=ACCOUNTS, is_trading=lambda: passes.running, switches=SWITCHES),
        *lt_control_routes(store, passes.jobs),
    ]


async def make(api, bot="BOT", token=TOKEN, **more):
    body = {"ftWalletId": bot, "account": "main", "capitalUsd": 100, **more}
    return await api.ask("POST", PATH, token=token, json=body)


async def post(api, path, token=TOKEN, **options):
    return await api.ask("POST", path, token=token, **options)
