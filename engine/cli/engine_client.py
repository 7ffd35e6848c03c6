"""Reads a running engine over HTTP: `/readyz` and `/metrics` at `http.host` and `http.port`."""

import ipaddress
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
from prometheus_client.parser import text_string_to_metric_families

from config.http import HttpConfig
from protocols.errors import EngineError, MalformedError

READ_TIMEOUT_S = 3.0
Labels = frozenset[tuple[str, str]]


class EngineUnreachableError(EngineError):
    """No engine answers at the configured address; the message says what does not."""


@attrs.define(eq=False)
class Metrics:
    """One reading of `/metrics`; names without the prefix `polycopy_`."""

    samples: Mapping[str, Mapping[Labels, float]]

    def value(self, name: str, **labels: str) -> float | None:
        """Returns one sample, or None when it is not there."""
        return self.samples.get(name, {}).get(frozenset(labels.items()))

    def by(self, name: str, label: str) -> dict[str, float]:
        """Returns the samples of a metric by one of its labels, summed over the others, in the engine's order."""
        sums: dict[str, float] = {}
        for labels, value in self.samples.get(name, {}).items():
            key = dict(labels).get(label, "")
            sums[key] = sums.get(key, 0.0) + value
        return sums

    def total(self, name: str) -> float:
        """Returns the sum over all labels."""
        return sum(self.samples.get(name, {}).values())

    def quantile(self, name: str, quantile: float) -> float | None:
        """Returns a quantile of a histogram, interpolated inside its bucket; None while it is empty.

        Beyond the last bound it is that bound: the truth is at least so much.
        """
        buckets = sorted((float(bound), count) for bound, count in self.by(f"{name}_bucket", "le").items())
        if not buckets or not buckets[-1][1]:
            return None
        rank = quantile * buckets[-1][1]
        lower, below = 0.0, 0.0
        for bound, count in buckets:
            if count >= rank and bound != float("inf"):
                return lower + (bound - lower) * (rank - below) / (count - below) if count > below else bound
            if bound != float("inf"):
                lower, below = bound, count
        return lower


@attrs.frozen(kw_only=True)
class EngineView:
    """What an engine said of itself at one moment."""

    ready: bool
    waiting_for: dict[str, str]
    actors: dict[str, str]
    metrics: Metrics
    degraded: dict[str, str] = attrs.field(factory=dict)
    """What does not work there and keeps nobody from being served."""
    metrics_error: str | None = None
    """Why `metrics` is empty, when it is."""


@attrs.define(eq=False)
class EngineClient:
    """Open it with `open_engine_client`."""

    url: str
    client: httpx.AsyncClient

    async def read(self) -> EngineView:
        """Returns the state of the engine. Raises `EngineUnreachableError`."""
        readiness = _readiness(self.url, await self._get("/readyz"))
        metrics, error = Metrics({}), None
        try:
            metrics = _metrics(self.url, await self._get("/metrics"))
        except EngineUnreachableError as unreadable:
            error = str(unreadable)
        return EngineView(
            ready=readiness["ready"],
            waiting_for=_texts(readiness.get("waiting_for")),
            degraded=_texts(readiness.get("degraded")),
            actors=_texts(readiness.get("actors")),
            metrics=metrics,
            metrics_error=error,
        )

    async def ready(self) -> bool:
        """Whether the engine there is ready. Raises `EngineUnreachableError` when there is none."""
        return bool(_readiness(self.url, await self._get("/readyz"))["ready"])

    async def _get(self, path: str) -> httpx.Response:
        try:
            return await self.client.get(path)
        except httpx.TimeoutException:
            raise EngineUnreachableError(f"{self.url} does not answer in {READ_TIMEOUT_S:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            reason = str(error) or type(error).__name__
            raise EngineUnreachableError(f"no engine answers at {self.url}: {reason[:200]}") from None


@asynccontextmanager
async def open_engine_client(config: HttpConfig) -> AsyncIterator[EngineClient]:
    """Opens a client for the engine of this configuration. Raises `EngineUnreachableError` when its port is not fixed."""
    url = engine_url(config)
    token = config.metrics_token
    headers = {"Authorization": f"Bearer {token.reveal()}"} if token is not None else {}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=READ_TIMEOUT_S, trust_env=False) as client:
        yield EngineClient(url, client)


def engine_url(config: HttpConfig) -> str:
    """Returns where the engine of this configuration listens. Raises `EngineUnreachableError` when its port is not fixed."""
    if not config.port:
        raise EngineUnreachableError("http.port is 0, so nobody knows where the engine listens; --set http.port=…")
    return f"http://{_reachable_host(config.host)}:{config.port}"


def parse_metrics(text: str) -> Metrics:
    """Returns the samples of an exposition. Raises `MalformedError` when it is none of an engine."""
    samples: dict[str, dict[Labels, float]] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = sample.name.removeprefix("polycopy_")
                samples.setdefault(name, {})[frozenset(sample.labels.items())] = sample.value
    except (ValueError, LookupError) as error:
        raise MalformedError("metrics", str(error)[:80]) from None
    if "ready" not in samples:
        raise MalformedError("metrics", "not of an engine")
    return Metrics(samples)


def _readiness(url: str, response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("ready"), bool):
        detail = f"/readyz answered {response.status_code}"
        raise EngineUnreachableError(f"what answers at {url} is no Polycopy engine, or not for this host: {detail}")
    return body


def _metrics(url: str, response: httpx.Response) -> Metrics:
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise EngineUnreachableError(f"{url}/metrics needs a token from here: set http.metrics_token")
    if response.status_code != httpx.codes.OK:
        raise EngineUnreachableError(f"{url}/metrics answered {response.status_code}")
    try:
        return parse_metrics(response.text)
    except MalformedError:
        raise EngineUnreachableError(f"{url}/metrics answers no metrics of an engine") from None


def _texts(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}


def _reachable_host(host: str) -> str:
    """Returns the address under which a server that listens on `host` is reached from here."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return host if address.version == 4 else f"[{address}]"
