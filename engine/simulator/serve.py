"""Runs a simulated venue on loopback ports: the entry for the command line, the demo and tests."""

import logging
from collections.abc import Mapping
from typing import Protocol

import trio

from engine.simulator.faults import Fault
from engine.simulator.http_gate import HttpGate
from engine.simulator.options import SimulatorOptions, SimulatorUrls
from engine.simulator.port_gate import PortGate
from engine.simulator.world import World
from protocols.clock import Random, WallClock

__all__ = ["SimulatorOptions", "SimulatorUrls", "serve_simulator"]

_log = logging.getLogger(__name__)
# The order of the ports when they are consecutive.
SURFACES = ("rtds", "clob_ws", "clob", "gamma", "data", "control")


class _Gate(Protocol):
    def shut_until(self, until_s: float) -> None: ...

    async def run(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None: ...


async def serve_simulator(
    options: SimulatorOptions,
    *,
    clock: WallClock,
    rng: Random,
    task_status: trio.TaskStatus[SimulatorUrls] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves until cancelled or until `POST /stop`.

    Reports the urls when all six ports are bound and the rows are loaded. Raises `TapeError` for a tape that cannot be
    played and `OSError` for an address that cannot be bound.
    """
    world = World(options, clock=clock, rng=rng)
    await world.load()
    gates = _gates(world, options)
    world.faults.on_apply.append(lambda fault: _shut(gates, fault))
    async with trio.open_nursery() as nursery:
        ports = {name: await nursery.start(gate.run) for name, gate in gates.items()}
        nursery.start_soon(world.line.run)
        nursery.start_soon(world.player.run)
        nursery.start_soon(world.trading.run)
        nursery.start_soon(world.clob_sockets.run)
        urls = _urls(options.host, ports)
        _log.info("simulator listens", extra={"ports": ports, "seed": options.seed})
        task_status.started(urls)
        await world.stop.wait()
        # The answer to POST /stop is still on its way.
        await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    _log.info("simulator stopped", extra={"fills": world.ledger.total})


def _gates(world: World, options: SimulatorOptions) -> dict[str, _Gate]:
    host = options.host
    ports = {name: options.port + place if options.port else 0 for place, name in enumerate(SURFACES)}
    gates: dict[str, _Gate] = {
        "rtds": PortGate(world.rtds.handle, host=host, port=ports["rtds"]),
        "clob_ws": PortGate(world.clob_sockets.handle, host=host, port=ports["clob_ws"]),
    }
    for name, api in world.apis.items():
        gates[name] = HttpGate(api, host=host, port=ports[name])
    gates["control"] = HttpGate(world.control, host=host, port=ports["control"])
    return gates


def _urls(host: str, ports: Mapping[str, int]) -> SimulatorUrls:
    named = f"[{host}]" if ":" in host else host
    return SimulatorUrls(
        rtds_url=f"ws://{named}:{ports['rtds']}",
        clob_ws_url=f"ws://{named}:{ports['clob_ws']}",
        clob_url=f"http://{named}:{ports['clob']}",
        gamma_url=f"http://{named}:{ports['gamma']}",
        data_url=f"http://{named}:{ports['data']}",
        control_url=f"http://{named}:{ports['control']}",
    )


def _shut(gates: Mapping[str, _Gate], fault: Fault) -> None:
    if fault.kind == "refuse":
        gate = gates.get(fault.text("surface", "rtds"))
        if gate is not None:
            gate.shut_until(fault.until_s)
