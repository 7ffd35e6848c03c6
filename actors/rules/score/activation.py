"""Whether a model may judge trades: a rule of its stored figures alone."""

from protocols.score_models import ModelFigures

DAYS_MIN = 10
EVENTS_MIN = 500
MARKETS_MIN = 100
BASELINES_TO_BEAT = ("price", "price_fit")
"""The price as it is, and the price drawn straight on the training part. The second one stands for all that a model could learn
from prices alone: where labels mean nothing, prices are wrong too, and whoever only learns that would beat them."""


def refusals(figures: ModelFigures, *, feature_version: int, current_version: int) -> list[str]:
    """Returns why a model must not be activated, in sentences; nothing when it may.

    It must have been measured on enough of what came later, and its Brier score there must be lower than that of each of
    `BASELINES_TO_BEAT`, by so much that the interval of 95 % of the difference excludes zero.
    """
    if feature_version != current_version:
        return [f"it was trained on features of version {feature_version}, this program has version {current_version}"]
    found = []
    valid = figures.valid
    for count, least, what in (
        (valid.days, DAYS_MIN, "days on which markets ended"),
        (valid.events, EVENTS_MIN, "events (a trader in a market)"),
        (valid.markets, MARKETS_MIN, "markets"),
    ):
        if count < least:
            found.append(f"validation saw {count} {what}, at least {least} are needed")
    for name in BASELINES_TO_BEAT:
        gain = figures.gains[name]
        if not gain.high < 0:
            found.append(
                f"it does not beat the baseline {name} out of sample: the Brier score differs by {gain.mean:+.5f}, "
                f"95 % between {gain.low:+.5f} and {gain.high:+.5f}, and all of it must be below zero"
            )
    return found
