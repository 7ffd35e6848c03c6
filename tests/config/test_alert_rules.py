import json
import re
import shutil
import subprocess
from pathlib import Path

import around_alert_cases
import pytest

DEPLOY = Path(__file__).parents[2] / "config" / "deploy"
LABELS = {"job": "polycopy", "instance": "a"}
MINUTES = 70

# One value a minute, in promtool's notation: start+step×count.
GROWING = "0+100x400"
STILL = "500x400"
ZERO = "0x400"
HEALTHY = {
    'up{}': "1x400",
    'polycopy_ready{}': "1x400",
    'polycopy_stream_last_frame_age_seconds{}': "0.2x400",
    'polycopy_stream_frames_total{result="trade"}': GROWING,
    'polycopy_stream_frames_total{result="keep_alive"}': GROWING,
    'polycopy_stream_reconnects_total{reason="start"}': "1x400",
    'polycopy_stream_reconnects_total{reason="recycle"}': "0+1x400",
    'polycopy_trades_seen_total{lane="none"}': GROWING,
    'polycopy_trades_seen_total{lane="1"}': GROWING,
    'polycopy_trades_repeated_total{}': GROWING,
    'polycopy_rows_written_total{result="inserted"}': GROWING,
    'polycopy_rows_written_total{result="repeated"}': ZERO,
    'polycopy_rows_written_total{result="rejected"}': ZERO,
    'polycopy_rows_written_total{result="handed_to_gap"}': ZERO,
    'polycopy_target_wallets{}': "40x400",
    'polycopy_spill_bytes{}': ZERO,
    'polycopy_heap_used_ratio{}': "0.3x400",
    'polycopy_loop_lag_seconds{}': "0.002x400",
    'polycopy_channel_depth{channel="writer"}': "3x400",
    'polycopy_channel_capacity{channel="writer"}': "4096x400",
    'polycopy_channel_sent_total{channel="raw_trades"}': GROWING,
    'polycopy_channel_dead_letters_total{channel="writer"}': ZERO,
    'polycopy_channel_dropped_total{channel="market_requests",lane="0",reason="full"}': GROWING,
    'polycopy_actor_up{actor="trade_filter"}': "1x400",
    'polycopy_actor_restarts_total{actor="trade_filter"}': ZERO,
    'polycopy_upstream_requests_total{api="data",code="200",user="gaps"}': GROWING,
    'polycopy_upstream_requests_total{api="data",code="429",user="gaps"}': "0+1x400",
    'polycopy_trade_to_row_seconds_bucket{le="0.01"}': GROWING,
    'polycopy_trade_to_row_seconds_bucket{le="+Inf"}': GROWING,
    'polycopy_price_requests_total{result="hit"}': GROWING,
    'polycopy_price_requests_total{result="stale"}': "0+1x400",
    'polycopy_job_last_success_age_seconds{exported_job="retention"}': "0+60x400",
    **around_alert_cases.HEALTHY,
    'polycopy_trades_seen_total{lane="0"}': GROWING,
    'polycopy_strategies{}': "4x400",
    'polycopy_decisions_total{result="skipped",reason="price_out_of_range"}': GROWING,
    'polycopy_decisions_dead_total{}': ZERO,
    'polycopy_decisions_waiting{}': "3x400",
    'polycopy_live_trading{}': "1x400",
    'polycopy_live_halted{}': ZERO,
    'polycopy_live_failover_halted{}': ZERO,
    'polycopy_breakers_latched{}': ZERO,
    'polycopy_account_entries_paused_seconds{account="main"}': ZERO,
    'polycopy_exits_open{}': "2x400",
    'polycopy_exits_overdue{}': ZERO,
    'polycopy_ledger_drift_usd{strategy="LT_A"}': ZERO,
    'polycopy_order_posts_total{outcome="accepted"}': GROWING,
    'polycopy_order_posts_total{outcome="refused"}': "0+10x400",
    'polycopy_order_events_dead_total{}': ZERO,
    'polycopy_orders_orphaned{}': ZERO,
    'polycopy_user_socket_connected{account="main"}': "1x400",
    'polycopy_reconcile_age_seconds{account="main"}': "30x400",
    'polycopy_foreign_orders{account="main"}': ZERO,
    'polycopy_position_drifts{account="main"}': ZERO,
    'polycopy_account_short_usd{account="main"}': ZERO,
}  # fmt: skip
GONE = None
STANDBY = {name: GONE for name in HEALTHY if name not in ("up{}", "polycopy_heap_used_ratio{}")} | {
    "polycopy_ready{}": ZERO
}
LATE_DROP = "_x30 1x300"  # a series that begins with its first event

CASES = {
    "a healthy engine": ({}, set()),
    "nothing scraped": (dict.fromkeys(HEALTHY, GONE), {"PolycopyDown"}),
    "unreachable": ({"up{}": ZERO}, {"PolycopyDown"}),
    "waiting for its database": (STANDBY, {"PolycopyNotReady"}),
    "silent stream": ({"polycopy_stream_last_frame_age_seconds{}": "0+30x400"}, {"PolycopyStreamSilent"}),
    "no frame since the start": ({"polycopy_stream_last_frame_age_seconds{}": GONE}, {"PolycopyStreamSilent"}),
    "filter stands still": (
        {
            'polycopy_trades_seen_total{lane="none"}': STILL,
            'polycopy_trades_seen_total{lane="0"}': STILL,
            'polycopy_trades_seen_total{lane="1"}': STILL,
            "polycopy_trades_repeated_total{}": STILL,
        },
        {"PolycopyFilterStandsStill"},
    ),
    "filter never moved": (
        {
            'polycopy_trades_seen_total{lane="none"}': GONE,
            'polycopy_trades_seen_total{lane="0"}': GONE,
            'polycopy_trades_seen_total{lane="1"}': GONE,
            "polycopy_trades_repeated_total{}": ZERO,
        },
        {"PolycopyFilterStandsStill"},
    ),
    "nothing written": (
        {'polycopy_rows_written_total{result="inserted"}': STILL, 'polycopy_edge_sent_total{edge="lanes"}': GONE},
        {"PolycopyNothingWritten"},
    ),
    "only repeats": (
        {
            'polycopy_rows_written_total{result="inserted"}': STILL,
            'polycopy_rows_written_total{result="repeated"}': GROWING,
        },
        set(),
    ),
    "nobody followed": ({"polycopy_target_wallets{}": ZERO}, {"PolycopyNobodyFollowed"}),
    "followed trade dropped": (
        {'polycopy_channel_dropped_total{channel="writer",lane="1",reason="shed"}': LATE_DROP},
        {"PolycopyFollowedTradeDropped"},
    ),
    "raw trades dropped": (
        {'polycopy_channel_dropped_total{channel="raw_trades",lane="0",reason="full"}': LATE_DROP},
        {"PolycopyRawTradesDropped"},
    ),
    "lane 2 shed": (
        {'polycopy_channel_dropped_total{channel="writer",lane="2",reason="shed"}': GROWING},
        {"PolycopyShedding"},
    ),
    "dead letter": ({'polycopy_channel_dead_letters_total{channel="writer"}': "0x30 1x300"}, {"PolycopyDeadLetters"}),
    "row rejected": ({'polycopy_rows_written_total{result="rejected"}': "0x30 1x300"}, {"PolycopyRowsRejected"}),
    "journal used": ({"polycopy_spill_bytes{}": "4096x400"}, {"PolycopySpilling"}),
    "journal grows": ({"polycopy_spill_bytes{}": "0+2000000x400"}, {"PolycopySpilling", "PolycopySpillGrowing"}),
    "journal full": ({'polycopy_rows_written_total{result="handed_to_gap"}': GROWING}, {"PolycopyJournalFull"}),
    "heap high": ({"polycopy_heap_used_ratio{}": "0.85x400"}, {"PolycopyHeapHigh"}),
    "heap critical": ({"polycopy_heap_used_ratio{}": "0.97x400"}, {"PolycopyHeapHigh", "PolycopyHeapCritical"}),
    "channel nearly full": ({'polycopy_channel_depth{channel="writer"}': "4000x400"}, {"PolycopyChannelNearlyFull"}),
    "loop lag": ({"polycopy_loop_lag_seconds{}": "0.5x400"}, {"PolycopyLoopLag"}),
    "actor crashed": ({'polycopy_actor_restarts_total{actor="trade_filter"}': "0x30 1x300"}, {"PolycopyActorRestarted"}),
    "actor down": ({'polycopy_actor_up{actor="trade_filter"}': ZERO}, {"PolycopyActorDown"}),
    "crash loop": (
        {'polycopy_channel_sent_total{channel="raw_trades"}': "0+9x9 0+9x9 0+9x9 0+9x9 0+9x9 0+9x9 0+9x9 0+9x9 0+9x9 0+9x49"},
        {"PolycopyRestarting"},
    ),
    "rows late": ({'polycopy_trade_to_row_seconds_bucket{le="0.01"}': ZERO,
                   'polycopy_trade_to_row_seconds_bucket{le="2.5"}': GROWING}, {"PolycopyRowsLate"}),
    "malformed trades": ({'polycopy_trades_malformed_total{reason="price"}': GROWING}, {"PolycopyTradesMalformed"}),
    "malformed frames": ({'polycopy_stream_frames_total{result="json"}': GROWING}, {"PolycopyFramesMalformed"}),
    "upstream fails": (
        {'polycopy_upstream_requests_total{api="data",code="timeout",user="gaps"}': "0+300x400"},
        {"PolycopyUpstreamFails"},
    ),
    "upstream throttles": (
        {'polycopy_upstream_requests_total{api="data",code="429",user="gaps"}': "0+50x400"},
        {"PolycopyUpstreamThrottles"},
    ),
    "stream lost again and again": (
        {'polycopy_stream_reconnects_total{reason="reconnect"}': "0+1x400"},
        {"PolycopyReconnecting"},
    ),
    "nobody answers for prices": ({'polycopy_price_requests_total{result="stale"}': GROWING}, {"PolycopyPricesStale"}),
    "a job fails for days": (
        {'polycopy_job_last_success_age_seconds{exported_job="retention"}': "300000+60x400"},
        {"PolycopyJobLate"},
    ),
    **around_alert_cases.CASES,
    "a rule raises": (
        {'polycopy_decisions_total{result="error",reason="rule_error"}': LATE_DROP}, {"PolycopyRuleFails"}
    ),
    "no decision could be made": ({"polycopy_decisions_dead_total{}": "0x30 1x300"}, {"PolycopyRuleFails"}),
    "no strategy decides": (
        {'polycopy_decisions_total{result="skipped",reason="price_out_of_range"}': STILL}, {"PolycopyNothingDecided"}
    ),
    "decisions wait": ({"polycopy_decisions_waiting{}": "500x400"}, {"PolycopyDecisionsWait"}),
    "a strategy spent more than it had": (
        {'polycopy_ledger_drift_usd{strategy="LT_A"}': "0x30 0.4x300"}, {"PolycopyLedgerDrift"}
    ),
    "a breaker latched": ({"polycopy_breakers_latched{}": "0x30 1x300"}, {"PolycopyBreakerLatched"}),
    "an account has no cash": (
        {'polycopy_account_entries_paused_seconds{account="main"}': "0x30 110x300"}, {"PolycopyAccountEntriesPaused"}
    ),
    "an exit is overdue": ({"polycopy_exits_overdue{}": "0x30 1x300"}, {"PolycopyExitOverdue"}),
    "an account is not compared any more": (
        {'polycopy_reconcile_age_seconds{account="main"}': "0+60x400"}, {"PolycopyNotReconciled"}
    ),
    "an account was never compared": (
        {f'polycopy_{name}{{account="main"}}': GONE
         for name in ("reconcile_age_seconds", "foreign_orders", "position_drifts", "account_short_usd")},
        {"PolycopyNotReconciled"},
    ),
    "an order by somebody else": ({'polycopy_foreign_orders{account="main"}': "1x400"}, {"PolycopyAccountDiffers"}),
    "positions moved": ({'polycopy_position_drifts{account="main"}': "2x400"}, {"PolycopyAccountDiffers"}),
    "money is gone": ({'polycopy_account_short_usd{account="main"}': "12.5x400"}, {"PolycopyAccountDiffers"}),
    "the user socket stays closed": (
        {'polycopy_user_socket_connected{account="main"}': ZERO}, {"PolycopyUserSocketDown"}
    ),
    "the venue refuses": (
        {'polycopy_order_posts_total{outcome="accepted"}': STILL,
         'polycopy_order_posts_total{outcome="refused"}': GROWING},
        {"PolycopyOrdersRefused"},
    ),
    "an account was taken out of the configuration": ({"polycopy_orders_orphaned{}": "3x400"}, {"PolycopyOrdersWithoutFate"}),
    "news that cannot be booked": ({"polycopy_order_events_dead_total{}": "0x30 1x300"}, {"PolycopyOrdersWithoutFate"}),
    "a failover may have lost commits": (
        {"polycopy_live_failover_halted{}": "0x20 1x380"}, {"PolycopyFailoverHalted"}
    ),
    "entries stay stopped": ({"polycopy_live_halted{}": "1x400"}, {"PolycopyHalted"}),
    "entries are stopped for a while": ({"polycopy_live_halted{}": "0x20 1x30 0x400"}, set()),
}  # fmt: skip
QUIET = "PolycopyNoFollowedTrade"  # takes days of samples


@pytest.fixture(scope="module")
def promtool():
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    return path


def input_series(changes):
    common = ",".join(f'{name}="{value}"' for name, value in LABELS.items())
    for name, values in {**HEALTHY, **changes}.items():
        if values is not GONE:
            separator = "" if name.endswith("{}") else ","
            yield {"series": f"{name[:-1]}{separator}{common}}}", "values": values}


def run(promtool, *arguments):
    return subprocess.run([promtool, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


def test_prometheus_accepts_the_rules(promtool):
    done = run(promtool, "check", "rules", DEPLOY / "alerts.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_every_query_of_the_dashboard(promtool, tmp_path):
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    rules = [
        {"record": f"query_{n}", "expr": query.replace("$__rate_interval", "1m")} for n, query in enumerate(queries)
    ]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    done = run(promtool, "check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_fires(promtool, folder, changes, expected, *, every="1m", after=f"{MINUTES}m"):
    """Expected are the rules that fired at any time in the last hours before `after`."""
    query = 'count by (alertname) (count by (alertname, channel) (max_over_time(ALERTS{alertstate="firing"}[2h])) > 0)'
    test = {
        "interval": every,
        "input_series": list(input_series(changes)),
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": after,
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in expected],
            }
        ],
    }
    file = folder / "case.yml"
    rules = [str(DEPLOY / "alerts.yml")]
    file.write_text(json.dumps({"rule_files": rules, "evaluation_interval": every, "tests": [test]}))
    done = run(promtool, "test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES)
def test_what_fires(promtool, tmp_path, case):
    assert_fires(promtool, tmp_path, *CASES[case])


@pytest.mark.parametrize("lane_1", [STILL, GONE])
def test_two_days_without_a_followed_trade(promtool, tmp_path, lane_1):
    changes = {f'polycopy_trades_seen_total{{lane="{lane}"}}': lane_1 for lane in "01"}
    assert_fires(promtool, tmp_path, changes, {QUIET}, every="1h", after="60h")


def test_two_days_with_followed_trades(promtool, tmp_path):
    assert_fires(promtool, tmp_path, {}, set(), every="1h", after="60h")


def test_every_rule_is_tried():
    named = set(re.findall(r"- alert: (\w+)", (DEPLOY / "alerts.yml").read_text()))
    assert named - set.union(*(expected for _, expected in CASES.values())) == {QUIET}
