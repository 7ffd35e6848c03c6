import pytest

from config.loader import ConfigError, load_config
from config.schema import default_channels

URL = {"POLYCOPY_REDIS__URL": "redis://user:secret-word@127.0.0.1:6379/0"}


def problems(environ=URL, **overrides):
    with pytest.raises(ConfigError) as refused:
        load_config(environ=environ, overrides={name.replace("__", "."): value for name, value in overrides.items()})
    return refused.value.problems


def test_no_edge_leaves_by_default_and_no_server_is_needed():
    config = load_config(environ={})
    assert {channel.transport for channel in config.channels.values()} == {"memory"}
    assert config.prices.transport == "memory"
    assert config.redis.url is None


@pytest.mark.parametrize("edge", ["lanes", "feed_events"])
def test_droppable_and_fan_out_edges_may_leave(edge):
    config = load_config(environ=URL, overrides={f"channels.{edge}.transport": "redis"})
    assert config.channels[edge].transport == "redis"


@pytest.mark.parametrize("edge", sorted(set(default_channels()) - {"lanes", "feed_events"}))
def test_any_other_is_an_error_that_names_those_that_may(edge):
    (problem,) = problems(**{f"channels__{edge}__transport": "redis"})
    assert problem == f"channels.{edge}.transport: this edge stays in the process; redis is for lanes, feed_events"


def test_an_edge_needs_a_server():
    assert "redis.url: is needed by channels.lanes.transport" in problems({}, channels__lanes__transport="redis")[0]


def test_prices_that_are_shared_need_a_server():
    assert load_config(environ=URL, overrides={"prices.transport": "redis"}).prices.transport == "redis"
    assert "redis.url: is needed by prices.transport" in problems({}, prices__transport="redis")[0]


@pytest.mark.parametrize("url", ["http://x", "redis://", "redis://host/zero", "127.0.0.1:6379 secret-word"])
def test_an_address_that_makes_no_sense_is_refused_without_being_shown(url):
    (problem,) = problems({"POLYCOPY_REDIS__URL": url})
    assert problem.startswith("redis.url: must be an address")
    assert "secret-word" not in problem


def test_a_living_consumer_cannot_be_configured_to_lose_its_items():
    assert "redis.take_over_idle_ms" in problems(redis__take_over_idle_ms="1000", redis__timeout_s="2")[0]
