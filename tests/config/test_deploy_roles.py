"""The files for two machines and more: their roles can run, and together they are all."""

import re
import tomllib
from pathlib import Path

import pytest

from config.cluster import roles_of
from config.loader import load_config
from engine.edges import leaving
from engine.roles import parts_of
from protocols.cluster import EVERY_ROLE, Role

DEPLOY = Path(__file__).parents[2] / "config" / "deploy"
SERVICE = re.compile(
    r"^  (\w+):\n    <<: \*engine\n(?:    .*\n)*?      POLYCOPY_CLUSTER__ROLES: \$\{\w+:-(.*)\}", re.MULTILINE
)
SETTING = re.compile(r"^ +(POLYCOPY_\w+): \$\{(\w+):?[?-]?([^}]*)\}", re.MULTILINE)
DATABASE = {"POLYCOPY_DATABASE__URL": "postgresql://x"}


def compose():
    return (DEPLOY / "compose.yml").read_text()


def fly():
    return tomllib.loads((DEPLOY / "fly-roles.toml").read_text())


def compose_roles():
    return {name: words.split(",") for name, words in SERVICE.findall(compose())}


def compose_apart():
    """As the head of the file says it of engines apart from the ingest."""
    [ingest] = re.findall(r"^#   INGEST_ROLES=(.*)$", compose(), re.MULTILINE)
    return compose_roles() | {"ingest": ingest.split(",")}


def fly_roles():
    return {name: re.findall(r"--role (\w+)", words) for name, words in fly()["processes"].items()}


def sets_of(roles):
    return {name: roles_of(load_config(environ={}, overrides={"cluster.roles": ", ".join(words)}).cluster.roles)
            for name, words in roles.items()}  # fmt: skip


@pytest.mark.parametrize("roles", [compose_apart, fly_roles])
def test_each_process_can_run_and_together_they_do_everything_once(roles):
    sets = sets_of(roles())
    assert sets.keys() == {"ingest", "apart", "api"}
    assert frozenset().union(*sets.values()) == EVERY_ROLE
    assert sum(map(len, sets.values())) == len(EVERY_ROLE)
    apart = parts_of(sets["apart"])
    assert (apart.decides_apart, apart.trades_apart, apart.polls_apart) == (True, True, True)


def test_two_machines_of_the_compose_file_do_everything_without_engines_apart():
    sets = sets_of(compose_roles())
    assert sets["ingest"] | sets["api"] == EVERY_ROLE
    assert [Role.INGEST in sets[name] for name in ("ingest", "api")] == [True, False]
    assert compose().count("profiles: [first, second]") == 2


def test_what_only_serves_is_checked_for_readiness_and_what_may_stand_by_for_life():
    document = fly()
    assert document["http_service"]["processes"] == ["api"]
    assert document["http_service"]["checks"][0]["path"] == "/readyz"
    assert document["checks"]["alive"]["path"] == "/healthz"
    assert document["checks"]["alive"]["processes"] == ["ingest", "apart", "api"]
    assert document["mounts"]["processes"] == ["ingest"]
    config = load_config(environ=document["env"])
    assert config.http.port == document["http_service"]["internal_port"]
    single = tomllib.loads((DEPLOY / "fly.toml").read_text())
    assert (document["kill_signal"], document["kill_timeout"]) == (single["kill_signal"], single["kill_timeout"])


def compose_environment(**chosen):
    return {name: chosen.get(variable, default) for name, variable, default in SETTING.findall(compose())} | DATABASE


def test_the_environment_of_the_compose_file_is_a_configuration():
    assert {"POLYCOPY_DATABASE__URL", "POLYCOPY_CLUSTER__ADDRESS"} <= compose_environment().keys()
    config = load_config(environ=compose_environment())
    assert leaving(config, parts_of(EVERY_ROLE)) == set()


def test_with_redis_everything_that_can_goes_over_it():
    config = load_config(environ=compose_environment(EDGES="redis", REDIS_URL="redis://:word@machine1.internal:6379/0"))
    assert leaving(config, parts_of(EVERY_ROLE)) == {"lanes", "feed_events"}
    assert config.prices.transport == "redis"
    # A stream that is evicted would be one that came back empty.
    assert "noeviction" in compose()
    named = set(re.findall(r"(POLYCOPY_\w+)=redis\b", (DEPLOY / "fly-roles.toml").read_text()))
    assert named == {f"POLYCOPY_{path}__TRANSPORT" for path in ("PRICES", "CHANNELS__LANES", "CHANNELS__FEED_EVENTS")}
    load_config(environ=DATABASE | dict.fromkeys(named, "redis") | {"POLYCOPY_REDIS__URL": "redis://x:6379/0"})
