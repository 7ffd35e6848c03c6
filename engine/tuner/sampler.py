"""optuna behind a small door: steps of a few settings, asked and told in batches. Only the tuner's own process imports it."""

import warnings
from collections.abc import Mapping, Sequence

import optuna

Steps = tuple[tuple[str, int], ...]
"""Settings that differ from the present ones, by name, and the step of each within its bounds."""


class StepSampler:
    """A tree-structured Parzen estimator over whole steps, maximising a score. Nothing of it is kept anywhere."""

    def __init__(self, last_steps: Mapping[str, int], now: Mapping[str, int], seed: int) -> None:
        """`last_steps` is the greatest step of each setting, `now` where it stands."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            # `multivariate` and `constant_liar` are called experimental; without them a batch asks for one place many times.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._ranges: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.IntDistribution(0, last) for name, last in last_steps.items()
        }
        self._now = dict(now)
        self._asked: list[optuna.trial.Trial] = []

    def learn(self, steps: Steps, score: float) -> None:
        """Takes in what is known already, unless it is about other settings."""
        if all(name in self._ranges for name, _ in steps):
            params = {**self._now, **dict(steps)}
            trial = optuna.trial.create_trial(params=params, distributions=self._ranges, value=score)
            self._study.add_trial(trial)

    def ask(self, count: int) -> list[Steps]:
        """Returns what to try next; some of it may have been tried."""
        self._asked = [self._study.ask(self._ranges) for _ in range(count)]
        return [self._steps(trial) for trial in self._asked]

    def tell(self, scores: Sequence[float]) -> None:
        """Takes the scores of what was asked for last."""
        for trial, score in zip(self._asked, scores, strict=True):
            self._study.tell(trial, score)
        self._asked = []

    def _steps(self, trial: optuna.trial.Trial) -> Steps:
        return tuple(sorted((name, step) for name, step in trial.params.items() if step != self._now[name]))
