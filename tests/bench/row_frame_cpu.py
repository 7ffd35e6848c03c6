"""Processor time a frame nobody follows, saturated: the engine's reader and filter against a bare receive loop."""

import json
import subprocess
import sys
from collections import defaultdict

import trio

from .bench import Bench
from .figures import Figure, median
from .frames import STRANGER
from .processes import BlasterHandle, blaster, running
from .receive_cost import WARM_UP_FRAMES

KINDS = ("bare", "5", "100000")


async def measure(bench: Bench) -> list[Figure]:
    """Interleaves the kinds, so that a slow minute of the machine slows all of them."""
    frames = int(bench.either(30_000, 60_000))
    costs: dict[str, list[float]] = defaultdict(list)
    ratios: dict[str, list[float]] = defaultdict(list)
    async with blaster() as sender:
        count = WARM_UP_FRAMES + frames + 20_000
        await sender.order("prepare", label="cpu", kind=STRANGER, wallets=20_000, first=0, count=count)
        for number in range(int(bench.either(5, 9))):
            # Every other round backwards: nobody always runs after the same neighbour.
            for kind in KINDS if number % 2 else KINDS[::-1]:
                answer = await _once(sender, kind, frames)
                costs[kind].append(answer["cpu_us"])
                bench.say(
                    f"  {kind}: {answer['cpu_us']:.1f} µs, {answer['frames_per_s']:,.0f}/s, busy {answer['busy']:.2f}"
                )
            for kind in KINDS[1:]:
                ratios[kind].append(costs[kind][-1] / costs["bare"][-1])
    bare_us = median(costs["bare"])
    figures = [
        Figure(
            row="frame_cpu",
            what=f"CPU a frame nobody follows, {int(kind):,} wallets",
            value=median(costs[kind]),
            unit="µs",
            reference=bare_us,
            reference_text=f"{bare_us:.1f} µs bare, this run",
            target=1.25 * bare_us,
            note=f"target 1.25 × bare; ratio by round {min(ratios[kind]):.2f}..{max(ratios[kind]):.2f}",
        )
        for kind in KINDS[1:]
    ]
    flat = median([b / a for a, b in zip(costs["5"], costs["100000"], strict=True)])
    figures.append(Figure(row="frame_cpu", what="  the same, 100,000 to 5 wallets", value=flat, unit="×", target=1.1))
    return figures


async def _once(sender: BlasterHandle, kind: str, frames: int) -> dict[str, float]:
    argv = [sys.executable, "-m", "tests.bench.receive_cost", sender.rtds_url, kind, str(frames)]
    with trio.fail_after(60):
        async with running(argv, stdout=subprocess.PIPE, end_s=2) as process, trio.open_nursery() as nursery:
            await sender.wait_clients()
            nursery.start_soon(lambda: sender.order("blast"))
            assert process.stdout is not None
            text = b""
            while text.count(b"\n") < 2:
                if not (chunk := await process.stdout.receive_some(4096)):
                    raise RuntimeError("the receiving process died")
                text += chunk
            await process.wait()
            answer: dict[str, float] = json.loads(text.splitlines()[1])
    while (await sender.order("clients"))["clients"]:
        await trio.sleep(0.02)
    return answer
