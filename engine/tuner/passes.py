"""Runs looks at several strategies side by side, so that what they ask for is played in the same passes over the trades."""

from collections.abc import Callable, Mapping, Sequence

from engine.tuner.look import Ask, Look
from protocols.tuner_search import Finding, Played, Trials


def run_looks(
    looks: Sequence[Look], trials: Trials, said: Callable[[int, int], None] = lambda *_: None
) -> list[Finding]:
    """Returns the finding of each look; `said` is told of each pass and its number of candidates. Raises `EngineError`."""
    findings: dict[int, Finding] = {}
    asking: dict[int, Ask] = {}
    passes = 0
    for number, look in enumerate(looks):
        _go_on(number, look, None, asking, findings)
    while asking:
        # The earliest window first: who is in the middle of his search is not overtaken by a proof.
        window = min((ask.window for ask in asking.values()), key=lambda one: one.since_ms)
        together = {number: ask for number, ask in asking.items() if ask.window == window}
        candidates = {
            f"{number}.{name}": settings
            for number, ask in together.items()
            for name, settings in ask.candidates.items()
        }
        passes += 1
        said(passes, len(candidates))
        played = trials.play(candidates, window)
        for number, ask in together.items():
            answer = {name: played[f"{number}.{name}"] for name in ask.candidates}
            _go_on(number, looks[number], answer, asking, findings)
    return [findings[number] for number in range(len(looks))]


def _go_on(
    number: int,
    look: Look,
    answer: Mapping[str, Played] | None,
    asking: dict[int, Ask],
    findings: dict[int, Finding],
) -> None:
    asking.pop(number, None)
    try:
        asking[number] = next(look) if answer is None else look.send(answer)
    except StopIteration as end:
        findings[number] = end.value
