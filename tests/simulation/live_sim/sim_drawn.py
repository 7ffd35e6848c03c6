"""What a seed draws for its engine and for each of its strategies."""

from decimal import Decimal

import attrs

from config.schema import EngineConfig
from protocols.clock import Random
from protocols.live.orders import OrderType
from protocols.live.settings import LiveSettings


def sim_config(rng: Random) -> EngineConfig:
    config = EngineConfig()
    quick = rng.random() < 0.6
    live = attrs.evolve(
        config.live,
        order_timeout_s=rng.choice((1.5, 3.0)) if quick else 10.0,
        in_flight_s=rng.choice((2.0, 5.0)) if quick else 15.0,
        not_found_interval_s=rng.choice((2.0, 5.0)) if quick else 20.0,
        reconcile_interval_s=rng.choice((5.0, 15.0)) if quick else 60.0,
        settle_interval_s=rng.choice((5.0, 30.0)),
        orders_per_s=rng.choice((2.0, 40.0)),
        orders_burst=rng.choice((2, 60)),
        unsent_retry_max=rng.choice((1, 5)),
    )
    channels = {**config.channels}
    small = rng.choice((1, 4, 64))
    for name in ("intents", "order_events"):
        if rng.random() < 0.5:
            channels[name] = attrs.evolve(channels[name], capacity=small)
    return attrs.evolve(config, live=live, channels=channels)


def sim_settings(rng: Random) -> LiveSettings:
    def maybe(*values: str) -> Decimal | None:
        return Decimal(rng.choice(values)) if rng.random() < 0.4 else None

    return LiveSettings(
        order_type=rng.choice((OrderType.FAK, OrderType.FAK, OrderType.FOK, OrderType.GTC, OrderType.GTD)),
        resting_s=180,
        slippage_tolerance_pct=Decimal(rng.choice((0, 3, 10))),
        cooldown_hours=Decimal(rng.choice(("0", "0.002", "0.02"))),
        max_signal_age_s=rng.choice((10, 30)),
        max_total_exposure_usd=maybe("30", "200"),
        daily_budget_usd=maybe("50", "300"),
        max_market_exposure_usd=maybe("40"),
        max_orders_per_minute=rng.choice((None, None, 5)),
        max_consecutive_failures=rng.choice((None, 3, 5)),
        min_book_depth_pct=maybe("50"),
        max_price_rise_pct=None,
        max_price_fall_pct=None,
        stop_loss_pct=maybe("5", "20"),
        take_profit_pct=maybe("5", "30"),
        max_hold_hours=maybe("0.01", "0.03"),
        exit_deadline_s=rng.choice((5, 60)),
    )
