"""What alerts around the trades look at, jobs, pollers, engines, edges …: healthy, and in cases. Part of test_alert_rules."""

GONE = None
HEALTHY = {
    'polycopy_job_interval_seconds{exported_job="retention"}': "86400x400",
    'polycopy_job_last_success_age_seconds{exported_job="lt-execute"}': "30x400",
    'polycopy_job_interval_seconds{exported_job="lt-execute"}': "120x400",
    'polycopy_coverage_ratio{lane="0"}': "0.998x400",
    'polycopy_coverage_ratio{lane="1"}': "1x400",
    'polycopy_coverage_expected{lane="0"}': "2000x400",
    'polycopy_coverage_expected{lane="1"}': "50000x400",
    'polycopy_coverage_missed_total{source="activity"}': "2x400",
    'polycopy_coverage_audit_age_seconds{}': "0+60x400",
    'polycopy_poller_idle_seconds{}': "0.3x400",
    'polycopy_poller_cycle_seconds{lane="target"}': "4x400",
    'polycopy_poller_snapshots_incomplete_total{tier="hot"}': "0x400",
    'polycopy_notifications_oldest_pending_age_seconds{}': "30x400",
    'polycopy_notifications_given_up_total{channel="mail"}': "0x400",
    'polycopy_notification_facts_buried_total{}': "0x400",
    'polycopy_model_drifted{}': "0x400",
    'polycopy_model_refused{}': "0x400",
    'polycopy_cluster_role_members{role="ingest"}': "1x400",
    'polycopy_cluster_role_members{role="api"}': "2x400",
    'polycopy_cluster_versions{}': "1x400",
    'polycopy_member_working{role="ingest"}': "1x400",
    'polycopy_member_heard_age_seconds{}': "3x400",
    'polycopy_edge_open{edge="lanes"}': "1x400",
    'polycopy_price_sharing_open{}': "1x400",
    'polycopy_edge_open{edge="feed_events"}': "1x400",
    'polycopy_edge_sent_total{edge="lanes"}': "0+100x400",
    'polycopy_edge_rows_total{result="inserted"}': "0+100x400",
    'polycopy_edge_rows_total{result="rejected"}': "0x400",
    'polycopy_edge_read_failures_total{edge="feed_events"}': "2x400",
    'polycopy_edge_depth{edge="lanes"}': "40x400",
    'polycopy_edge_dead_letters_total{edge="lanes"}': "0x400",
    'polycopy_tuner_waiting{}': "0x400",
    'polycopy_tuner_ended_total{status="ROLLED_BACK"}': "3x400",
    'polycopy_tuner_ended_total{status="IMPROVED"}': "0+1x400",
}  # fmt: skip
CASES = {
    "a job of every two minutes fails for half an hour": (
        {'polycopy_job_last_success_age_seconds{exported_job="lt-execute"}': "0+60x400"},
        {"PolycopyJobLate"},
    ),
    "a job that is switched off grows old": (
        {
            'polycopy_job_last_success_age_seconds{exported_job="retention"}': "300000+60x400",
            'polycopy_job_interval_seconds{exported_job="retention"}': GONE,
        },
        set(),
    ),
    "the stream lost trades of targets": ({'polycopy_coverage_ratio{lane="0"}': "0.97x400"}, {"PolycopyCoverageLow"}),
    "one of three trades was lost": (
        {'polycopy_coverage_ratio{lane="0"}': "0.66x400", 'polycopy_coverage_expected{lane="0"}': "3x400"},
        set(),
    ),
    "nobody had some trades": (
        {'polycopy_coverage_missed_total{source="activity"}': "2x30 40x300"},
        {"PolycopyTradesMissed"},
    ),
    "no audit for hours": ({"polycopy_coverage_audit_age_seconds{}": "14000+60x400"}, {"PolycopyAuditOld"}),
    "a channel takes no notices": (
        {"polycopy_notifications_oldest_pending_age_seconds{}": "0+120x400"},
        {"PolycopyNotificationsStuck"},
    ),
    "a change of the tuner was taken back": (
        {'polycopy_tuner_ended_total{status="ROLLED_BACK"}': "3x30 4x300"},
        {"PolycopyTunerRolledBack"},
    ),
    "a proposal of the tuner waits": ({"polycopy_tuner_waiting{}": "1x400"}, {"PolycopyTunerWaiting"}),
    "notices given up": (
        {'polycopy_notifications_given_up_total{channel="mail"}': "0x30 1x300"},
        {"PolycopyNotificationsLost"},
    ),
    "a fact without sense": (
        {"polycopy_notification_facts_buried_total{}": "0x30 1x300"},
        {"PolycopyNotificationsLost"},
    ),
    "the model has drifted": ({"polycopy_model_drifted{}": "1x400"}, {"PolycopyModelDrifted"}),
    "the model cannot be used": ({"polycopy_model_refused{}": "1x400"}, {"PolycopyModelRefused"}),
    "nobody serves": ({'polycopy_cluster_role_members{role="api"}': "2x30 0x300"}, {"PolycopyRoleOfNobody"}),
    "an engine that only serves": (
        {"polycopy_stream_last_frame_age_seconds{}": GONE, 'polycopy_member_working{role="ingest"}': "0x400"},
        set(),
    ),
    "an engine is cut off": ({"polycopy_member_heard_age_seconds{}": "0+60x400"}, {"PolycopyEngineCutOff"}),
    "a restart that was not finished": ({"polycopy_cluster_versions{}": "2x400"}, {"PolycopyVersionsDiffer"}),
    "redis takes no trades": ({'polycopy_edge_open{edge="lanes"}': "1x30 0x300"}, {"PolycopyEdgeClosed"}),
    "redis tells an engine that only serves nothing": (
        {'polycopy_edge_open{edge="feed_events"}': GONE,
         'polycopy_edge_read_failures_total{edge="feed_events"}': "0x30 0+30x300"},
        {"PolycopyEdgeClosed"},
    ),
    "redis does not share prices": ({"polycopy_price_sharing_open{}": "1x30 0x300"}, {"PolycopyPricesNotShared"}),
    "redis shared no prices for a moment": ({"polycopy_price_sharing_open{}": "1x30 0x2 1x300"}, set()),
    "prices are not to be shared": ({"polycopy_price_sharing_open{}": GONE}, set()),
    "redis was away for a moment": (
        {'polycopy_edge_open{edge="lanes"}': "1x30 0 1x300",
         'polycopy_edge_read_failures_total{edge="feed_events"}': "2x30 6x300"},
        set(),
    ),
    "trades go over redis and nobody writes them": (
        {'polycopy_edge_rows_total{result="inserted"}': "500x400"}, {"PolycopyEdgeNothingWritten"}
    ),
    "nobody holds the lease of the edge": (
        {f'polycopy_edge_rows_total{{result="{result}"}}': GONE for result in ("inserted", "rejected")},
        {"PolycopyEdgeNothingWritten"},
    ),
    "all trades go over redis": ({'polycopy_rows_written_total{result="inserted"}': "500x400"}, set()),
    "no edge leaves": (
        {f"polycopy_edge_{name}": GONE
         for name in ('open{edge="lanes"}', 'open{edge="feed_events"}', 'sent_total{edge="lanes"}',
                      'rows_total{result="inserted"}', 'rows_total{result="rejected"}', 'depth{edge="lanes"}',
                      'read_failures_total{edge="feed_events"}', 'dead_letters_total{edge="lanes"}')},
        set(),
    ),
    "the reader of an edge is slow": (
        {'polycopy_edge_depth{edge="lanes"}': "0+200x400"}, {"PolycopyEdgeBehind"}
    ),
    "an item of an edge that nobody understands": (
        {'polycopy_edge_dead_letters_total{edge="lanes"}': "0x30 1x300"}, {"PolycopyEdgeDeadLetters"}
    ),
    "a row from an edge is rejected": (
        {'polycopy_edge_rows_total{result="rejected"}': "0x30 1x300"}, {"PolycopyRowsRejected"}
    ),
    "nobody is polled": ({"polycopy_poller_idle_seconds{}": "0+60x400"}, {"PolycopyPollerStandsStill"}),
    "targets wait for their polls": (
        {'polycopy_poller_cycle_seconds{lane="target"}': "90x400"},
        {"PolycopyPollerSlow"},
    ),
    "positions are not understood": (
        {'polycopy_poller_snapshots_incomplete_total{tier="hot"}': "0+1x400"},
        {"PolycopySnapshotsIncomplete"},
    ),
}  # fmt: skip
