"""How many examples a property gets. A failure prints the blob that reproduces it."""

from hypothesis import HealthCheck, settings

_TOLERATED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def examples(count: int) -> settings:
    """Settings for `count` examples without a deadline: a busy machine is no failure."""
    return settings(max_examples=count, deadline=None, print_blob=True, suppress_health_check=_TOLERATED)


FEW = examples(60)
QUICK = examples(120)
MANY = examples(300)
SLOW = examples(2_000)
