"""What a check of `polycopy doctor` found, and how checks are run."""

from collections.abc import Awaitable, Callable, Mapping

import attrs
import trio

from engine.cli.command import failure_text, leaves


class CheckFailedError(Exception):
    """What was tried does not work. The message is the reason; `hint` says what to do."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


@attrs.frozen(kw_only=True)
class Check:
    """Something to try. `work` returns a short text about what it found, or raises."""

    name: str
    work: Callable[[], Awaitable[str]]
    hint: str
    """What to do when it fails and the failure does not know better."""
    timeout_s: float


@attrs.frozen(kw_only=True)
class Finding:
    """How a check ended."""

    name: str
    ok: bool
    detail: str
    hint: str
    elapsed_s: float


async def run_checks(checks: list[Check], on_change: Callable[[list[str]], None]) -> list[Finding]:
    """Runs all checks at once and returns their findings in the order of `checks`.

    `on_change` gets the names that are still being tried, whenever that changes.
    """
    findings: dict[str, Finding] = {}

    async def run(check: Check) -> None:
        findings[check.name] = await _finding(check)
        on_change(_missing(checks, findings))

    on_change(_missing(checks, findings))
    async with trio.open_nursery() as nursery:
        for check in checks:
            nursery.start_soon(run, check)
    return [findings[check.name] for check in checks]


async def _finding(check: Check) -> Finding:
    began_s = trio.current_time()
    hint, ok = check.hint, False
    detail = f"no answer in {check.timeout_s:g} s"
    with trio.move_on_after(check.timeout_s):
        try:
            detail, ok = await check.work(), True
        # Whatever goes wrong is a finding: the other checks must still be told.
        except Exception as error:
            detail = failure_text(error)
            hints = [leaf.hint for leaf in leaves(error) if isinstance(leaf, CheckFailedError) and leaf.hint]
            hint = hints[0] if hints else check.hint
    elapsed_s = trio.current_time() - began_s
    return Finding(name=check.name, ok=ok, detail=detail, hint="" if ok else hint, elapsed_s=elapsed_s)


def _missing(checks: list[Check], findings: Mapping[str, Finding]) -> list[str]:
    return [check.name for check in checks if check.name not in findings]
