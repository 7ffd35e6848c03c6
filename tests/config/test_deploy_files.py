import json
import re
import tomllib
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import attrs
import pytest
from prometheus_client import CollectorRegistry

from config.loader import load_config
from config.schema import EngineConfig
from engine.adapters.postgres.server_process import EmbeddedServer
from engine.adapters.system_clock import system_random
from engine.api.app import engine_app
from engine.metrics import (
    EngineCollector,
    price_age_histogram,
    trade_to_order_histogram,
    trade_to_row_histogram,
)
from engine.running import Engine
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from engine.runtime.traffic import Traffic

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "config" / "deploy"
EXTRA_LABELS = {"job", "instance", "le"}
RUNBOOK = re.compile(r"runbook: (\S+)#(\S+)")


@pytest.fixture(scope="module")
def engine():
    config = load_config(environ={})
    gauges = RuntimeGauges(loop_lag=LoopLag(), memory_mb=0, channels_of=lambda: ())
    return Engine(
        config=config,
        supervisor=Supervisor(rng=system_random()),
        gauges=gauges,
        readiness=Readiness(),
        traffic=Traffic(),
    )


@pytest.fixture(scope="module")
def labels_by_sample(engine):
    registry = CollectorRegistry()
    registry.register(EngineCollector(engine))
    trade_to_row_histogram(registry)
    trade_to_order_histogram(registry)
    price_age_histogram(registry)
    labels = {}
    for family in registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        for suffix in suffixes:
            labels[family.name + suffix] = set(getattr(family, "_labelnames", ()))
    return labels


def alert_expressions():
    return [
        line.partition("expr: ")[2] for line in (DEPLOY / "alerts.yml").read_text().splitlines() if "expr: " in line
    ]


def dashboard_targets():
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    return [target for panel in panels for target in panel.get("targets", [])]


def expressions():
    return [*alert_expressions(), *(target["expr"] for target in dashboard_targets())]


@pytest.mark.parametrize("expression", expressions())
def test_alerts_and_panels_ask_for_metrics_and_labels_that_the_engine_has(expression, labels_by_sample):
    selectors = re.findall(r"(polycopy_\w+)(?:\{([^}]*)\})?", expression)
    assert selectors or expression.startswith("up{")
    for name, matchers in selectors:
        assert name in labels_by_sample
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= labels_by_sample[name] | EXTRA_LABELS
    known = set.union(*(labels_by_sample[name] for name, _ in selectors)) if selectors else set()
    for grouping in re.findall(r"(?:by|on) \(([^)]*)\)", expression):
        assert {label.strip() for label in grouping.split(",")} <= known | EXTRA_LABELS


def test_every_metric_is_on_the_dashboard(labels_by_sample):
    shown = set(re.findall(r"polycopy_\w+", " ".join(target["expr"] for target in dashboard_targets())))
    unshown = set(labels_by_sample) - shown
    assert all(name.endswith(("_seconds_sum", "_seconds_count")) for name in unshown), unshown


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert all(x < 24 for x, _ in cells)


def test_panel_legends_name_labels_that_the_query_keeps():
    for target in dashboard_targets():
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            grouping = re.search(r"by \(([^)]*)\)", target["expr"])
            assert grouping is None or label in grouping[1]


def alerts():
    return re.split(r"- alert: ", (DEPLOY / "alerts.yml").read_text())[1:]


@pytest.mark.parametrize("alert", alerts(), ids=lambda text: text.partition("\n")[0])
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(alert):
    assert re.search(r"severity: (critical|warning|info)\b", alert)
    assert re.search(r"summary: \S", alert)
    assert re.search(r"description: \S", alert)
    file, anchor = RUNBOOK.search(alert).groups()
    titles = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def fly():
    return tomllib.loads((DEPLOY / "fly.toml").read_text())


def unit():
    """Settings of the unit, lists because some occur several times."""
    settings = {}
    for line in (DEPLOY / "polycopy.service").read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            settings.setdefault(name, []).append(value)
    return settings


@pytest.fixture(scope="module")
def prover():
    loader = SourceFileLoader("prove_image", str(DEPLOY / "prove-image"))
    module = module_from_spec(spec_from_loader("prove_image", loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def image_environment(prover):
    pairs = [rest for head, rest in prover.instructions() if head == "ENV"][-1]
    return dict(pair.split("=", 1) for pair in pairs.split())


def test_what_the_image_and_fly_set_is_a_valid_configuration(image_environment):
    config = load_config(environ={**image_environment, **fly()["env"]})
    assert config.http.host == "0.0.0.0"
    assert config.http.port == fly()["http_service"]["internal_port"] == fly()["checks"]["alive"]["port"]
    assert fly()["http_service"]["concurrency"]["hard_limit"] < config.http.connections_max
    places = (config.database.data_dir, config.writer.spill_dir)
    assert all(Path(place).is_relative_to(fly()["mounts"]["destination"]) for place in places)


def test_the_checks_ask_for_paths_that_exist_as_a_host_that_is_allowed(engine):
    paths = {route.path for route in engine_app(engine, CollectorRegistry()).routes}
    checks = [*fly()["http_service"]["checks"], fly()["checks"]["alive"]]
    assert {check["path"] for check in checks} == {"/readyz", "/healthz"} <= paths
    hosts = {host.strip() for host in fly()["env"]["POLYCOPY_HTTP__ALLOWED_HOSTS"].split(",")}
    assert {check["headers"]["Host"] for check in checks} <= hosts
    assert f"{fly()['app']}.fly.dev" in hosts


def test_every_stop_has_more_time_than_the_engine_takes(prover):
    drain_s = EngineConfig().limits.drain_s + 5
    defaults = attrs.fields_dict(EmbeddedServer)
    server_s = defaults["stop_timeout_s"].default + defaults["quit_timeout_s"].default + 5
    assert fly()["kill_timeout"] > drain_s
    assert fly()["kill_signal"] == dict(prover.instructions())["STOPSIGNAL"] == "SIGTERM"
    assert int(unit()["TimeoutStopSec"][0]) > drain_s + server_s
    assert "--stop-timeout 60" in (DEPLOY / "Dockerfile").read_text()
    assert drain_s + server_s < 60


def test_the_unit_restarts_what_a_restart_can_help():
    settings = unit()
    assert settings["KillMode"] == ["mixed"]
    assert settings["Restart"] == ["always"]
    assert settings["RestartPreventExitStatus"] == ["2"]
    assert int(settings["RestartSec"][0]) * int(settings["StartLimitBurst"][0]) < int(
        settings["StartLimitIntervalSec"][0]
    )


def test_the_unit_offers_every_secret_as_a_credential():
    secrets = {
        f"{section.name}.{field.name}"
        for section in attrs.fields(EngineConfig)
        if section.metadata["kind"] == "section"
        for field in attrs.fields(section.type)
        if field.metadata["kind"] == "secret"
    }
    offered = dict(value.split(":") for value in unit()["LoadCredential"])
    assert offered == {name: f"polycopy.{name}" for name in secrets}


def test_the_dockerfile_copies_what_the_context_holds(prover):
    context = prover.context_files()
    assert not [path for path in context if path.parts[0] in ("tests", ".git") or path.suffix == ".pyc"]
    for head, rest in prover.instructions():
        if head == "COPY" and not rest.startswith("--from"):
            for source in map(Path, rest.split()[:-1]):
                assert any(path == source or source in path.parents for path in context), source


def test_everything_that_the_image_downloads_is_pinned_by_hash(prover):
    installs = [step for head, rest in prover.instructions() if head == "RUN" for step in rest.split("&&")]
    downloads = [step for step in installs if "pip" in step and ("install" in step or "wheel" in step)]
    assert downloads
    assert all("--require-hashes" in step or "--no-index" in step for step in downloads if "apt-get" not in step)
    for name in ("requirements.lock", "config/deploy/build-requirements.lock"):
        pins = re.findall(r"^[a-z].*==.*(?:\n    --hash=.*)*", (ROOT / name).read_text(), re.MULTILINE)
        assert pins
        assert all("--hash=sha256:" in pin for pin in pins)


def test_files_carry_no_placeholder_address():
    for path in filter(Path.is_file, DEPLOY.iterdir()):
        assert not re.search(r"example\.(com|org)|TODO|FIXME", path.read_text()), path.name
