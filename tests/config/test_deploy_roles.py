"""The files for two machines: their roles can run, and together they are all."""

import re
import tomllib
from pathlib import Path

import pytest

from config.cluster import roles_of
from config.loader import load_config
from engine.roles import parts_of
from protocols.cluster import EVERY_ROLE

DEPLOY = Path(__file__).parents[2] / "config" / "deploy"


def compose():
    return (DEPLOY / "compose.yml").read_text()


def fly():
    return tomllib.loads((DEPLOY / "fly-roles.toml").read_text())


SERVICE = re.compile(r"^  (\w+):\n    <<: \*engine\n(?:    .*\n)*?    command: \[run, (.*)\]", re.MULTILINE)


def compose_commands():
    return {name: re.findall(r"--role, (\w+)", words) for name, words in SERVICE.findall(compose())}


def fly_commands():
    return {name: re.findall(r"--role (\w+)", words) for name, words in fly()["processes"].items()}


@pytest.mark.parametrize("commands", [compose_commands, fly_commands])
def test_each_process_can_run_and_together_they_do_everything(commands):
    found = commands()
    assert found.keys() == {"ingest", "api"}
    sets = [roles_of(load_config(environ={}, overrides={"cluster.roles": ", ".join(roles)}).cluster.roles)
            for roles in found.values()]  # fmt: skip
    assert frozenset().union(*sets) == EVERY_ROLE
    assert [parts_of(one).ingest for one in sets] == [True, False]


def test_what_only_serves_is_checked_for_readiness_and_what_may_stand_by_for_life():
    document = fly()
    assert document["http_service"]["processes"] == ["api"]
    assert document["http_service"]["checks"][0]["path"] == "/readyz"
    assert document["checks"]["alive"]["path"] == "/healthz"
    assert document["checks"]["alive"]["processes"] == ["ingest", "api"]
    assert document["mounts"]["processes"] == ["ingest"]
    config = load_config(environ=document["env"])
    assert config.http.port == document["http_service"]["internal_port"]
    single = tomllib.loads((DEPLOY / "fly.toml").read_text())
    assert (document["kill_signal"], document["kill_timeout"]) == (single["kill_signal"], single["kill_timeout"])


def test_the_environment_of_the_compose_file_is_a_configuration():
    pairs = dict(re.findall(r"^ +(POLYCOPY_\w+): \$\{\w+:?[?-]?([^}]*)\}", compose(), re.MULTILINE))
    assert {"POLYCOPY_DATABASE__URL", "POLYCOPY_CLUSTER__ADDRESS"} <= pairs.keys()
    load_config(environ=pairs | {"POLYCOPY_DATABASE__URL": "postgresql://x"})
    assert compose().count("profiles: [first, second]") == 2
