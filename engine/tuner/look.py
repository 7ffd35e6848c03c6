"""One look at one strategy: which settings matter, which values are best, and whether that holds where nobody has looked.

A look is a generator: it asks for sets of settings to be played and is sent what they did, so that the looks at several
strategies share their passes over the trades (`passes.py`). Its course:

1. each searchable setting alone, at a few values: which three matter most;
2. the values of these three, by a tree-structured Parzen estimator (optuna, seeded), in batches;
3. the winner again with each of its changes taken back: what it can do without is not proposed;
4. the winner, and it alone, on the validation part.

Whoever tries often finds something. So the winner's t on the training part has to beat the luck of the best of so many
tries before it may look at the validation part at all; that part sees one candidate a look, so that its level is
divided by the looks that have seen the same days, and not by the tries (splitting the sample: Cox, Biometrika 62(2),
1975; dividing the level: Bonferroni). `polycopy tuner show` has every figure of it.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence

import attrs

from actors.rules.tuner.bounds import BOUNDS, changed, searchable
from actors.rules.tuner.parts import Parts
from actors.rules.tuner.proving import figures_of, gain_of, orders_of, profit_micro
from actors.rules.tuner.student import luck_of_the_best
from config.strategy_settings import document_of
from engine.tuner.sampler import Steps, StepSampler
from protocols.strategies import StrategySettings
from protocols.timestamps import utc_datetime
from protocols.tuner import PARAMETERS_MAX
from protocols.tuner_search import Evidence, Finding, Gain, PartEvidence, Played, Subject, Window

NOW = "now"
NO_GOOD = -10.0
"""Score of what has no proof, or may not be."""
SPARED_T = 0.3
"""A change that adds less than this to the winner's t is not worth proposing."""


@attrs.frozen(kw_only=True)
class LookRules:
    """How hard a look looks."""

    tries_max: int
    screen_points: int
    batch: int
    """Sets of settings in one pass."""
    orders_min: int
    """Orders with a result that each part needs."""
    level: float
    seed: int
    code_version: str


@attrs.frozen(kw_only=True)
class Ask:
    """Sets of settings to be played over a window, by names."""

    window: Window
    candidates: Mapping[str, StrategySettings]


Look = Generator[Ask, Mapping[str, Played], Finding]


@attrs.define(eq=False, kw_only=True)
class _Search:
    """What one look has tried so far. A set of settings is named by its steps, and played once."""

    settings: StrategySettings
    parts: Parts
    rules: LookRules
    now: Played = attrs.field(init=False, default=Played(bets=()))
    """What the present settings did."""
    begun: bool = attrs.field(init=False, default=False)
    scores: dict[Steps, float] = attrs.field(init=False, factory=dict)
    results: dict[Steps, Played] = attrs.field(init=False, factory=dict)

    @property
    def tries(self) -> int:
        """Returns how many sets were played."""
        return len(self.results)

    def try_all(self, wanted: Iterable[Steps]) -> Generator[Ask, Mapping[str, Played], None]:
        """Plays what was not played yet, as far as tries are left."""
        new: dict[str, tuple[Steps, StrategySettings]] = {}
        for steps in dict.fromkeys(wanted):
            if steps in self.scores or self.tries + len(new) >= self.rules.tries_max:
                continue
            settings = changed(self.settings, dict(steps))
            if settings is None or settings == self.settings:
                self.scores[steps] = NO_GOOD if settings is None else 0.0
            else:
                new[str(len(new))] = (steps, settings)
        names = list(new)
        for first in range(0, len(names), self.rules.batch):
            batch = names[first : first + self.rules.batch]
            candidates = {name: new[name][1] for name in batch}
            if not self.begun:
                # What all others are held against is played along with the first ones: a pass takes minutes.
                candidates[NOW] = self.settings
            played = yield Ask(window=self.parts.train, candidates=candidates)
            if not self.begun:
                self.now, self.begun = played[NOW], True
            for name in batch:
                steps = new[name][0]
                self.results[steps] = played[name]
                self.scores[steps] = self.score(played[name])

    def score(self, played: Played) -> float:
        """Returns the t of a candidate on the training part; one that may not be proposed is no good, however high."""
        gain = gain_of(self.now.bets, played.bets)
        if gain is None or orders_of(played.bets) < self.rules.orders_min:
            return NO_GOOD
        if profit_micro(played.bets) < profit_micro(self.now.bets):
            # A better return on so little that less is earned: no improvement, and still a hint where to look.
            return min(gain.t, 0.0)
        return gain.t

    def best(self) -> Steps | None:
        """Returns the best set so far that gains anything."""
        played = [steps for steps in self.results if self.scores[steps] > 0]
        return max(played, key=lambda steps: (self.scores[steps], -len(steps)), default=None)


def look_at(subject: Subject, settings: StrategySettings, parts: Parts, rules: LookRules) -> Look:
    """Looks at one strategy; its value is the finding."""
    search = _Search(settings=settings, parts=parts, rules=rules)
    names = searchable(settings)
    yield from search.try_all(_alone(names, settings, rules.screen_points))
    yield from _together(search, _most_telling(search, names))
    winner = yield from _simplest(search)
    verdict = _Evidence(subject=subject, search=search, names=names)
    if winner is None:
        return verdict.nothing("No change did better on the training part.")
    gain, luck = gain_of(search.now.bets, search.results[winner].bets), luck_of_the_best(search.tries)
    if gain is None or gain.p >= luck:
        text = f"The best of {search.tries} tries did no better on the training part than chance makes the best of so many do"
        return verdict.nothing(f"{text}: p = {gain.p if gain else 1:.2g} against {luck:.2g}.", winner)
    candidate = changed(settings, dict(winner))
    assert candidate is not None, "it was played"
    played = yield Ask(window=parts.validation, candidates={NOW: settings, "winner": candidate})
    return verdict.proved(winner, candidate, played[NOW], played["winner"])


def _alone(names: Sequence[str], settings: StrategySettings, points: int) -> list[Steps]:
    """Returns each setting alone at some steps between its ends, ends included."""
    found: list[Steps] = []
    for name in names:
        last = BOUNDS[name].steps
        now = BOUNDS[name].nearest(getattr(settings, name))
        steps = sorted({round(last * number / (points - 1)) for number in range(points)} - {now})
        found += [((name, step),) for step in steps]
    return found


def _most_telling(search: _Search, names: Sequence[str]) -> list[str]:
    """Returns the settings that gained most alone, at most three."""
    gained = {name: max((s for (one, *_), s in search.scores.items() if one[0] == name), default=0.0) for name in names}
    ranked = sorted(names, key=lambda name: -gained[name])
    return ranked[:PARAMETERS_MAX]


def _together(search: _Search, names: Sequence[str]) -> Generator[Ask, Mapping[str, Played], None]:
    """Searches the values of a few settings together with what tries are left."""
    rules, settings = search.rules, search.settings
    sampler = StepSampler(
        {name: BOUNDS[name].steps for name in names},
        {name: BOUNDS[name].nearest(getattr(settings, name)) for name in names},
        rules.seed,
    )
    for steps, score in search.scores.items():
        sampler.learn(steps, score)
    # A sampler that has found its place asks for the same again and again; then it is done.
    idle = 0
    while search.tries < rules.tries_max and idle < 3:
        asked = sampler.ask(min(rules.batch, rules.tries_max - search.tries))
        before = search.tries
        yield from search.try_all(asked)
        sampler.tell([search.scores.get(steps, NO_GOOD) for steps in asked])
        idle = 0 if search.tries > before else idle + 1


def _simplest(search: _Search) -> Generator[Ask, Mapping[str, Played], Steps | None]:
    """Returns the winner without what it can do without. These few tries come on top of the others."""
    winner = search.best()
    while winner is not None and len(winner) > 1:
        fewer = [tuple(one for one in winner if one != left_out) for left_out in winner]
        search.rules = attrs.evolve(search.rules, tries_max=search.rules.tries_max + len(fewer))
        yield from search.try_all(fewer)
        best = max(fewer, key=lambda steps: search.scores.get(steps, NO_GOOD))
        if best not in search.results or search.scores[best] < search.scores[winner] - SPARED_T:
            break
        winner = best
    return winner


@attrs.frozen(eq=False, kw_only=True)
class _Evidence:
    """Puts down what a look came to."""

    subject: Subject
    search: _Search
    names: Sequence[str]

    def nothing(self, text: str, best: Steps | None = None) -> Finding:
        """Returns a finding without a proposal."""
        return self._finding(text, best, None, looks=self.subject.looks)

    def proved(self, winner: Steps, candidate: StrategySettings, before: Played, after: Played) -> Finding:
        """Returns a proposal when the winner holds on the validation part, else a finding without."""
        rules, looks = self.search.rules, self.subject.looks + 1
        gain, level = gain_of(before.bets, after.bets), rules.level / looks
        validation = _part(self.search.parts.validation, before, after, gain)
        problem = self._problem(before, after, gain, level)
        if problem is not None or gain is None:
            return self._finding(
                f"What did best on the training part did not hold: {problem}.", winner, validation, looks=looks
            )
        old, new = document_of(self.search.settings), document_of(candidate)
        names = [name for name in new if new[name] != old[name]]
        text = (
            f"Return of a USD at stake {gain.roi * 100:+.1f} points (95 of 100: {gain.roi_low * 100:+.1f} to "
            f"{gain.roi_high * 100:+.1f}) on days that took no part in the search, p = {gain.p:.2g} against {level:.2g}."
        )
        found = self._finding(text, winner, validation, looks=looks)
        before_values, after_values = ({name: one[name] for name in names} for one in (old, new))
        return Finding(
            wallet_id=found.wallet_id,
            version=found.version,
            text=text,
            before=before_values,
            after=after_values,
            evidence=found.evidence,
        )

    def _problem(self, before: Played, after: Played, gain: Gain | None, level: float) -> str | None:
        orders_min = self.search.rules.orders_min
        if gain is None:
            return "too few days of the validation part have results"
        if orders_of(after.bets) < orders_min:
            return f"{orders_of(after.bets)} orders of the validation part have a result; {orders_min} are needed"
        if gain.p >= level:
            return f"p = {gain.p:.2g} on the validation part, which has to stay below {level:.2g}"
        if profit_micro(after.bets) < profit_micro(before.bets):
            return "the return was better and the profit smaller on the validation part"
        return None

    def _finding(self, text: str, best: Steps | None, validation: PartEvidence | None, *, looks: int) -> Finding:
        search, rules = self.search, self.search.rules
        played = None if best is None else search.results[best]
        gain = None if played is None else gain_of(search.now.bets, played.bets)
        evidence = Evidence(
            seed=rules.seed,
            code_version=rules.code_version,
            searched=list(self.names),
            tries=search.tries,
            luck=luck_of_the_best(search.tries),
            looks=looks,
            level=rules.level / max(1, looks),
            train=_part(search.parts.train, search.now, played, gain),
            validation=validation,
        )
        return Finding(
            wallet_id=self.subject.wallet_id,
            version=self.subject.version,
            text=text,
            before={},
            after={},
            evidence=evidence,
        )


def _part(window: Window, before: Played, after: Played | None, gain: Gain | None) -> PartEvidence:
    return PartEvidence(
        since=utc_datetime(window.since_ms),
        until=utc_datetime(window.until_ms),
        market_share=before.share,
        before=figures_of(before),
        after=None if after is None else figures_of(after),
        gain=gain,
    )
