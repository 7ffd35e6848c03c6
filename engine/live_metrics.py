"""The metrics of live trading (design.md §7). Part of `metrics.py`.

Labels are bounded by the configuration and the table of strategies: statuses, reasons and outcomes by their code, accounts and
strategies by how many there are.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from engine.live_wiring import LiveTrading
from protocols.live.money import LiveBalance


def live_families(live: LiveTrading | None, now_s: float) -> list[Metric]:
    """Returns every family of live trading at monotonic time `now_s`, without samples while this engine does not trade.

    To be called in the loop: it walks what actors change. The work is that of hundreds of orders at most.
    """
    trading = GaugeMetricFamily(
        "polycopy_live_trading", "1 while this engine may send orders", value=float(live is not None)
    )
    return [trading, *_orders(live), *_exits(live), *_money(live), *_accounts(live, now_s), *_stops(live)]


def _orders(live: LiveTrading | None) -> Iterator[Metric]:
    orders = CounterMetricFamily("polycopy_orders", "News of orders that was booked, by status", labels=["status"])
    declined = CounterMetricFamily("polycopy_orders_declined", "Claims that became no order", labels=["reason"])
    posts = CounterMetricFamily("polycopy_order_posts", "Orders sent, by what the answer proves", labels=["outcome"])
    working = GaugeMetricFamily("polycopy_orders_working", "Orders that have not ended", labels=["account"])
    dead = CounterMetricFamily("polycopy_order_events_dead", "News of orders that the database will never take")
    if live is not None:
        _add(orders, live.keeper.counts)
        _add(declined, live.executor.declined)
        _add(posts, live.sender.outcomes)
        by_account = Counter(one.signed.account for one in live.book.working_orders() if one.signed is not None)
        for account in {*live.reconciler.accounts, *by_account}:
            working.add_metric([account], by_account[account])
        dead.add_metric([], live.keeper.dead)
    yield from (orders, declined, posts, working, dead)


def _exits(live: LiveTrading | None) -> Iterator[Metric]:
    still_open = GaugeMetricFamily("polycopy_exits_open", "Obligations to sell that are open")
    overdue = GaugeMetricFamily("polycopy_exits_overdue", "Those of them past their deadline")
    redeemable = GaugeMetricFamily("polycopy_redemptions_awaited", "Settled positions that nobody has redeemed")
    if live is not None:
        still_open.add_metric([], len(live.book.exits()))
        overdue.add_metric([], len(live.exits.overdue))
        redeemable.add_metric([], live.settler.awaited)
    yield from (still_open, overdue, redeemable)


def _money(live: LiveTrading | None) -> Iterator[Metric]:
    ledger = GaugeMetricFamily("polycopy_ledger_usd", "Capital of live strategies", labels=["strategy", "bucket"])
    drift = GaugeMetricFamily(
        "polycopy_ledger_drift_usd", "What the venue took beyond the capital", labels=["strategy"]
    )
    if live is not None:
        for one in live.book.balances.values():
            for bucket, amount in _buckets(one).items():
                ledger.add_metric([one.strategy_id, bucket], float(amount))
            drift.add_metric([one.strategy_id], float(one.drift))
    yield from (ledger, drift)


def _buckets(one: LiveBalance) -> Mapping[str, Decimal]:
    return {"available": one.available, "locked": one.locked, "cooldown": one.cooldown, "realized": one.realized_pnl}


def _accounts(live: LiveTrading | None, now_s: float) -> Iterator[Metric]:
    label = ["account"]
    connected = GaugeMetricFamily("polycopy_user_socket_connected", "1 while the user socket is open", labels=label)
    age = GaugeMetricFamily("polycopy_reconcile_age_seconds", "Since the last comparison with the venue", labels=label)
    foreign = GaugeMetricFamily("polycopy_foreign_orders", "Open orders that are not ours", labels=label)
    drifts = GaugeMetricFamily(
        "polycopy_position_drifts", "Tokens of which the venue holds another amount", labels=label
    )
    short = GaugeMetricFamily("polycopy_account_short_usd", "Cash that working buys lack", labels=label)
    orphans = GaugeMetricFamily("polycopy_orders_orphaned", "Working orders of accounts that this engine lacks")
    if live is not None:
        for name, watcher in live.watchers.items():
            connected.add_metric([name], float(watcher.connected))
        for name, compared_s in live.reconciler.compared_s.items():
            age.add_metric([name], max(0.0, now_s - compared_s))
        for name, report in live.reconciler.reports.items():
            foreign.add_metric([name], len(report.foreign_orders))
            drifts.add_metric([name], len(report.drifts))
            short.add_metric([name], float(report.cash_short_usd))
        orphans.add_metric([], live.reconciler.orphans)
    yield from (connected, age, foreign, drifts, short, orphans)


def _stops(live: LiveTrading | None) -> Iterator[Metric]:
    halted = GaugeMetricFamily("polycopy_live_halted", "1 while all entries are stopped")
    after_failover = GaugeMetricFamily(
        "polycopy_live_failover_halted", "1 while entries are stopped because the database may have lost commits"
    )
    latched = GaugeMetricFamily("polycopy_breakers_latched", "Strategies that enter nothing until somebody clears them")
    strategies = GaugeMetricFamily(
        "polycopy_live_strategies", "Live strategies that are not archived", labels=["state"]
    )
    paused_s = GaugeMetricFamily(
        "polycopy_account_entries_paused_seconds",
        "For how long an account enters nothing, since the venue said that it has not enough; 0: it may",
        labels=["account"],
    )
    if live is not None:
        table = live.registry.table
        for account in live.watchers:
            paused_s.add_metric([account], live.breaker.paused_s(account) or 0.0)
        halted.add_metric([], float(table.halt is not None))
        after_failover.add_metric([], float(table.halt is not None and table.halt.is_failover))
        latched.add_metric([], len({*table.breakers, *live.breaker.latched}))
        active = [one for one in table.strategies if one.is_active]
        paused = sum(one.is_paused for one in active)
        strategies.add_metric(["paused"], paused)
        strategies.add_metric(["running"], len(active) - paused)
    yield from (halted, after_failover, latched, strategies, paused_s)


def _add(family: CounterMetricFamily, counts: Mapping[str, int]) -> None:
    for label, count in counts.items():
        family.add_metric([label], count)
