"""The graph of actors as a picture: sources on the left, channels as labels on the way, alone what has no channel.

`data-actor` and `data-channel` name the groups, `data-text` the texts within, so that a script updates words and classes
and never draws.
"""

from collections.abc import Sequence
from itertools import pairwise

import svg

from engine.api.engine_bodies import ActorNode, ChannelEdge
from engine.pages.charts.markup import words
from engine.pages.layered_layout import Placed, placed

ACTOR_WIDTH, CHANNEL_WIDTH, GAP = 118, 112, 24
NODE_HEIGHT, PITCH, PASS_PITCH = 46, 62, 16
_MARGIN, _LANE, _HEAD = 10, 10, 22
_ALONE_PITCH = 132


def graph_svg(
    actors: Sequence[ActorNode], channels: Sequence[ChannelEdge], *, title: str = "Actors and channels"
) -> str:
    """Returns an SVG element as text, for a page that links `charts.css`; as wide as the flow is long (`viewBox`)."""
    joined = {name for channel in channels for name in (*channel.writers, *channel.readers)}
    inside = [f"a:{actor.name}" for actor in actors if actor.name in joined]
    names = [*inside, *(f"c:{channel.name}" for channel in channels)]
    edges = [(f"a:{name}", f"c:{channel.name}") for channel in channels for name in channel.writers]
    edges += [(f"c:{channel.name}", f"a:{name}") for channel in channels for name in channel.readers]
    plan = placed(names, edges, pitch=PITCH, pass_pitch=PASS_PITCH)
    left = _lefts(plan)
    width = max(left[-1] + ACTOR_WIDTH if left else 0, 6 * _ALONE_PITCH) + _MARGIN
    below = _MARGIN + plan.height + len(plan.back) * _LANE + (_LANE if plan.back else 0)
    at = {name: (left[layer], plan.y[name] + _MARGIN) for layer, column in enumerate(plan.layers) for name in column}
    alone = [actor for actor in actors if actor.name not in joined]
    per_row = max(1, int((width - _MARGIN) // _ALONE_PITCH))
    for index, actor in enumerate(alone):
        row, column = divmod(index, per_row)
        at[f"a:{actor.name}"] = (_MARGIN + column * _ALONE_PITCH, below + _HEAD + row * PITCH + PITCH / 2)
    height = below + (_HEAD + -(-len(alone) // per_row) * PITCH if alone else 0) + _MARGIN
    drawn: list[svg.Element] = [svg.Title(text=words(title)), svg.Desc(text=words(_described(actors, channels)))]
    drawn += _edges(plan, at)
    if alone:
        drawn.append(_text(_MARGIN, below + _HEAD - 6, "without channels", "graph-head"))
    drawn += [_actor(actor, *at[f"a:{actor.name}"]) for actor in actors]
    drawn += [_channel(channel, *at[f"c:{channel.name}"]) for channel in channels]
    return svg.SVG(
        viewBox=svg.ViewBoxSpec(0, 0, round(width), round(height)),
        class_=["graph"],
        extra={"role": "img", "aria-label": words(title)},
        elements=drawn,
    ).as_str()


def actor_classes(actor: ActorNode) -> str:
    """Returns the classes of an actor's group: up or down, and whether it was ever restarted."""
    return f"graph-actor graph-{'up' if actor.up else 'down'}{' graph-restarted' if actor.restarts else ''}"


def channel_classes(channel: ChannelEdge) -> str:
    """Returns the classes of a channel's group: full at nine tenths, dropping while it drops."""
    full = " graph-full" if channel.depth * 10 >= channel.capacity * 9 else ""
    return f"graph-channel{full}{' graph-dropping' if channel.dropped_per_s else ''}"


def _lefts(plan: Placed) -> list[float]:
    left, at = list[float](), float(_MARGIN)
    for column in plan.layers:
        left.append(at)
        at += (
            ACTOR_WIDTH if any(name.startswith("a:") and " > " not in name for name in column) else CHANNEL_WIDTH
        ) + GAP
    return left


def _width(name: str) -> int:
    return ACTOR_WIDTH if name.startswith("a:") else CHANNEL_WIDTH


def _edges(plan: Placed, at: dict[str, tuple[float, float]]) -> list[svg.Element]:
    paths = list[svg.Element]()
    for path in plan.paths.values():
        (x, y), width = at[path[0]], _width(path[0])
        steps: list[svg.PathData] = [svg.M(x + width, y)]
        for one, other in pairwise(path):
            (from_x, from_y), (to_x, to_y) = at[one], at[other]
            begin, bend = from_x + _width(one), GAP
            if " > " in one:
                steps.append(svg.L(begin, from_y))
            steps.append(svg.C(begin + bend, from_y, to_x - bend, to_y, to_x, to_y))
        paths.append(svg.Path(d=steps, class_=["graph-edge"]))
    bottom = _MARGIN + plan.height
    for lane, (source, target) in enumerate(plan.back, 1):
        (x, y), (to_x, to_y), level = at[source], at[target], bottom + lane * _LANE
        right, left = x + _width(source) + 6 + 2 * lane, to_x - 6 - 2 * lane
        steps = [svg.M(x + _width(source), y), svg.H(right), svg.V(level), svg.H(left), svg.V(to_y), svg.H(to_x)]
        paths.append(svg.Path(d=steps, class_=["graph-edge graph-back"]))
    return paths


def _actor(actor: ActorNode, x: float, y: float) -> svg.G:
    restarts = f"{actor.restarts} restart{'' if actor.restarts == 1 else 's'}"
    state = ("up" if actor.up else "down") + (f" · {restarts}" if actor.restarts else "")
    return svg.G(
        class_=[f"{actor_classes(actor)} graph-{words(actor.group)}"],
        data={"actor": words(actor.name)},
        elements=[
            svg.Title(text=words(f"{actor.name}: {state}" + (f", {actor.last_error}" if actor.last_error else ""))),
            _box(x, y, ACTOR_WIDTH, 6),
            _text(x + ACTOR_WIDTH / 2, y - 4, actor.name, "graph-name"),
            _text(x + ACTOR_WIDTH / 2, y + 12, state, "graph-figure", "state"),
        ],
    )


def _channel(channel: ChannelEdge, x: float, y: float) -> svg.G:
    middle, rate = x + CHANNEL_WIDTH / 2, "–" if channel.sent_per_s is None else f"{_rate(channel.sent_per_s)}/s"
    said = f"{channel.name}: {channel.depth} of {channel.capacity} waiting, at most {channel.peak_depth} so far"
    flow = rate + (f" · {_short(channel.dropped)} lost" if channel.dropped else "")
    return svg.G(
        class_=[channel_classes(channel)],
        data={"channel": words(channel.name)},
        elements=[
            svg.Title(text=words(said)),
            _box(x, y, CHANNEL_WIDTH, 10),
            _text(middle, y - 8, channel.name, "graph-name"),
            _text(middle, y + 5, f"{_short(channel.depth)}/{_short(channel.capacity)}", "graph-figure", "depth"),
            _text(middle, y + 17, flow, "graph-figure", "rate"),
        ],
    )


def _box(x: float, y: float, width: int, radius: int) -> svg.Rect:
    return svg.Rect(x=round(x), y=round(y - NODE_HEIGHT / 2), width=width, height=NODE_HEIGHT, rx=radius)


def _text(x: float, y: float, said: str, classes: str, name: str = "") -> svg.Text:
    return svg.Text(x=round(x), y=round(y), class_=[classes], text=words(said), data={"text": name} if name else None)


def _short(count: int) -> str:
    """At most five characters, so that the line fits into its label."""
    large = ((10**15, "P"), (10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
    return next((f"{count / size:.3g}{word}" for size, word in large if count >= size * 10), str(count))


def _rate(per_s: float) -> str:
    return f"{per_s:.1f}" if per_s < 1_000 else _short(round(per_s))


def _described(actors: Sequence[ActorNode], channels: Sequence[ChannelEdge]) -> str:
    down = [actor.name for actor in actors if not actor.up]
    said = f"{len(actors)} actors, {len(channels)} channels"
    return f"{said}; down: {', '.join(down)}" if down else f"{said}; all are up"
