from datetime import datetime, timedelta, timezone

import pytest

from engine.cli.figures import bytes_text, count_text, moment_text, seconds_text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (256 << 20, "256.0 MiB"), (1 << 50, "1024.0 TiB")],
)
def test_bytes(count, text):
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0032, "3.2 ms"),
        (4.06, "4.1 s"),
        (119, "119.0 s"),
        (150, "2 min"),
        (7500, "2 h 05 min"),
        (172_800, "2 days"),
    ],
)
def test_seconds(seconds, text):
    assert seconds_text(seconds) == text


def test_counts_and_moments():
    assert count_text(1234567.0) == "1,234,567"
    assert moment_text(None) == "-"
    assert moment_text(datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-02 01:04:05Z"
