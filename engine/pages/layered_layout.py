"""Places the nodes of a directed graph in layers from left to right (Sugiyama's method, small)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import attrs

SWEEPS = 12
Edge = tuple[str, str]


@attrs.frozen(kw_only=True)
class Placed:
    """Layer by layer from left to right, and how far down each node's middle is."""

    layers: tuple[tuple[str, ...], ...]
    """With a name of its own for each layer that an edge passes (`paths`)."""
    y: Mapping[str, float]
    height: float
    paths: Mapping[Edge, tuple[str, ...]]
    """What each edge goes through, ends included. An edge that closes a circle is not here but in `back`."""
    back: tuple[Edge, ...]


def placed(nodes: Sequence[str], edges: Sequence[Edge], *, pitch: float, pass_pitch: float) -> Placed:
    """Returns where everything goes. `pitch` is the room a node needs, `pass_pitch` that of an edge that passes.

    The order of `nodes` decides which edges close circles: nodes are visited in it.
    """
    back = _closing(nodes, edges)
    forward = [edge for edge in dict.fromkeys(edges) if edge not in back]
    depth = _depths(nodes, forward)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in nodes:
        layers[depth[node]].append(node)
    paths = dict[Edge, tuple[str, ...]]()
    for source, target in forward:
        passed = [f"{source} > {target} @ {layer}" for layer in range(depth[source] + 1, depth[target])]
        for layer, name in enumerate(passed, depth[source] + 1):
            layers[layer].append(name)
        paths[source, target] = (source, *passed, target)
    before, after = dict[str, list[str]](), dict[str, list[str]]()
    for path in paths.values():
        for left, right in pairwise(path):
            after.setdefault(left, []).append(right)
            before.setdefault(right, []).append(left)
    room = {name: pitch if name in depth else pass_pitch for layer in layers for name in layer}
    y = _levels(layers, before, after, room)
    top = min((y[name] - room[name] / 2 for name in room), default=0.0)
    bottom = max((y[name] + room[name] / 2 for name in room), default=0.0)
    return Placed(
        layers=tuple(map(tuple, layers)),
        y={name: level - top for name, level in y.items()},
        height=bottom - top,
        paths=paths,
        back=tuple(back),
    )


def _closing(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[Edge, None]:
    """Edges that lead back to where one comes from, depth first."""
    targets = {node: [target for source, target in edges if source == node] for node in nodes}
    closing, done, way = dict[Edge, None](), set[str](), set[str]()

    def visit(node: str) -> None:
        way.add(node)
        for target in targets[node]:
            if target in way:
                closing[node, target] = None
            elif target not in done:
                visit(target)
        way.discard(node)
        done.add(node)

    for node in nodes:
        if node not in done:
            visit(node)
    return closing


def _depths(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The longest way to each node; then what only leads on moves next to where it leads."""
    depth = dict.fromkeys(nodes, 0)
    for _ in nodes:
        for source, target in edges:
            depth[target] = max(depth[target], depth[source] + 1)
    entered = {target for _, target in edges}
    for node in nodes:
        if node not in entered and (onward := [depth[target] for source, target in edges if source == node]):
            depth[node] = min(onward) - 1
    return depth


def _levels(
    layers: list[list[str]], before: Mapping[str, list[str]], after: Mapping[str, list[str]], room: Mapping[str, float]
) -> dict[str, float]:
    """Orders each layer by the middle of its neighbours, forth and back, and moves nodes there as far as there is room."""
    y = dict[str, float]()
    for layer in layers:
        _spread(layer, dict.fromkeys(layer, 0.0), room, y)
    for sweep in range(SWEEPS):
        neighbours, ordered = (before, layers) if sweep % 2 == 0 else (after, layers[::-1])
        for layer in ordered:
            wanted = {
                name: sum(y[one] for one in near) / len(near) if (near := neighbours.get(name)) else y[name]
                for name in layer
            }
            layer.sort(key=lambda name: (wanted[name], y[name]))
            _spread(layer, wanted, room, y)
    return y


def _spread(layer: Sequence[str], wanted: Mapping[str, float], room: Mapping[str, float], y: dict[str, float]) -> None:
    """Puts a layer, in its order, as near to where it wants to be as its nodes' room lets it: blocks that touch move as one."""
    blocks = list[tuple[list[str], float, float]]()  # names, the middle, the height
    for name in layer:
        names, middle, height = [name], wanted[name], room[name]
        while blocks and blocks[-1][1] + blocks[-1][2] / 2 > middle - height / 2 - 1e-9:
            above, above_middle, above_height = blocks.pop()
            top = (above_middle - above_height / 2) * len(above)
            own = (middle - height / 2 - above_height) * len(names)
            first = (top + own) / (len(above) + len(names))
            names, height = above + names, above_height + height
            middle = first + height / 2
        blocks.append((names, middle, height))
    for names, middle, height in blocks:
        at = middle - height / 2
        for name in names:
            y[name] = at + room[name] / 2
            at += room[name]
