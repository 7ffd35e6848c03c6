"""Models as text for a terminal, and as tables for a document."""

from collections.abc import Sequence

from engine.api.model_bodies import (
    DriftAnswer,
    GainAnswer,
    MarksAnswer,
    ModelAnswer,
    ModelReport,
    ModelsAnswer,
    SpanAnswer,
)
from engine.cli.figures import count_text, moment_text, seconds_text
from engine.cli.terminal import plain, table_lines

LIST_HEADS = (
    "model",
    "kind",
    "trained",
    "state",
    "AUC",
    "Brier",
    "log loss",
    "against the price",
    "from",
    "to",
    "since",
)
_BASELINES = {
    "price": "the price",
    "price_fit": "the price, drawn straight",
    "win_rate": "the trader's win rate, shrunk",
}


def list_rows(answer: ModelsAnswer) -> tuple[Sequence[str], list[tuple[object, ...]]]:
    """Returns headings and rows of a list."""
    return LIST_HEADS, [_row(one) for one in answer.models]


def report_lines(report: ModelReport) -> list[str]:
    """Returns a report for a terminal."""
    model = report.model
    lines = [
        f"Model {model.model_id or '(not kept)'}: {model.kind}, trained {moment_text(model.created_at)}"
        f" in {seconds_text(report.seconds)}, {_state(model)}",
        f"Program {plain(report.code_version)}, features of version {model.feature_version}, seed {report.seed}, "
        + ", ".join(f"{plain(name)} {plain(number)}" for name, number in sorted(report.libraries.items())),
        "",
        *table_lines(
            ("part", "trades", "events", "markets", "days", "won", "from", "until"), _spans(report), right=range(1, 6)
        ),
        f"{count_text(report.embargoed)} trades were open when validation began and are in neither; left out: "
        + (
            ", ".join(f"{plain(name)} {count_text(count)}" for name, count in sorted(report.left_out.items())) or "none"
        ),
        "",
        "Out of sample",
        *table_lines(
            ("", "AUC", "Brier", "log loss", "model less it", "95 % from", "to"),
            _scores(report),
            right=range(1, 7),
        ),
        "",
        "Calibration out of sample",
        *table_lines(_BIN_HEADS, _bins(report), right=range(1, 7)),
    ]
    if model.drift is not None:
        lines += ["", *_drift_lines(model.drift)]
    if model.refusals:
        lines += ["", "It must not be activated:", *(f"- {plain(text, 400)}" for text in model.refusals)]
    return lines


def report_markdown(report: ModelReport) -> list[str]:
    """Returns the tables of a report in Markdown."""
    model = report.model
    head = (
        f"Model {model.model_id}, {model.kind}, features of version {model.feature_version}, seed {report.seed}; trades from "
        f"{moment_text(model.data_from)} to {moment_text(model.data_until)}."
    )
    spans = _markdown(("part", "trades", "events", "markets", "days", "won"), [row[:6] for row in _spans(report)])
    heads = ("out of sample", "AUC", "Brier", "log loss", "model less it", "95 % from", "to")
    return [head, "", *spans, "", *_markdown(heads, _scores(report)), "", *_markdown(_BIN_HEADS, _bins(report))]


_BIN_HEADS = ("probability", "trades", "events", "mean", "won", "95 % from", "to")


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [heads, ["---", *("--:" for _ in heads[1:])], *rows]
    return ["| " + " | ".join(plain(cell) for cell in line) + " |" for line in lines]


def _row(model: ModelAnswer) -> tuple[object, ...]:
    gain = model.gains.price
    return (
        model.model_id,
        model.kind,
        moment_text(model.created_at),
        _state(model),
        *_marks(model.marks),
        *_gain(gain),
        "-" if model.drift is None else "drifted" if model.drift.drifted else "holds",
    )


def _state(model: ModelAnswer) -> str:
    if model.is_active:
        return "judges"
    return "refused" if model.refusals else "may judge"


def _spans(report: ModelReport) -> list[tuple[object, ...]]:
    return [("to learn from", *_span(report.train)), ("to be measured on", *_span(report.valid))]


def _span(span: SpanAnswer) -> tuple[object, ...]:
    counts = map(count_text, (span.trades, span.events, span.markets, span.days))
    return (*counts, f"{span.share_won:.3f}", moment_text(span.since), moment_text(span.until))


def _scores(report: ModelReport) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [("the model", *_marks(report.model.marks), "", "", "")]
    for name, words in _BASELINES.items():
        rows.append((words, *_marks(getattr(report.baselines, name)), *_gain(getattr(report.model.gains, name))))
    return rows


def _marks(marks: MarksAnswer) -> tuple[str, str, str]:
    return ("-" if marks.auc is None else f"{marks.auc:.4f}", f"{marks.brier:.5f}", f"{marks.log_loss:.5f}")


def _gain(gain: GainAnswer) -> tuple[str, str, str]:
    return (f"{gain.mean:+.5f}", f"{gain.low:+.5f}", f"{gain.high:+.5f}")


def _bins(report: ModelReport) -> list[tuple[object, ...]]:
    return [
        (
            f"{one.low:.1f} to {one.high:.1f}",
            count_text(one.trades),
            count_text(one.events),
            f"{one.mean:.3f}",
            f"{one.won:.3f}",
            f"{one.won_low:.3f}",
            f"{one.won_high:.3f}",
        )
        for one in report.calibration
    ]


def _drift_lines(drift: DriftAnswer) -> list[str]:
    state = "has drifted: " + "; ".join(drift.reasons) if drift.drifted else "holds"
    moved = ", ".join(f"{name} {value:.2f}" for name, value in drift.stability.items())
    return [
        f"Since then, as of {moment_text(drift.checked_at)}: {plain(state, 500)}",
        f"{count_text(drift.span.trades)} trades, {count_text(drift.span.events)} events, {drift.span.days} days; Brier "
        f"{drift.model.brier:.5f}, the price {drift.price.brier:.5f}, difference {drift.gain.mean:+.5f} "
        f"({drift.gain.low:+.5f} to {drift.gain.high:+.5f})",
        f"Population stability (above 0.25 is another population): {moved}",
    ]
