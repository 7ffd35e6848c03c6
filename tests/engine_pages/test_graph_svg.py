from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from engine.api.engine_bodies import ActorNode, ChannelEdge
from engine.pages.graph_svg import graph_svg
from engine.pages.layered_layout import placed

SVG = "{http://www.w3.org/2000/svg}"
nodes = [f"n{number}" for number in range(9)]
edges_of_any_graph = st.lists(st.tuples(st.sampled_from(nodes), st.sampled_from(nodes)), max_size=25)


def actor(name, **given):
    return ActorNode(**{"name": name, "group": "stages", "up": True, "restarts": 0, "last_error": None, **given})


def channel(name, writers, readers, **given):
    counters = dict.fromkeys(("depth", "peak_depth", "sent", "received", "dropped", "redelivered", "dead_lettered"), 0)
    fields = {**counters, "unacknowledged": 0, "policy": "block", "capacity": 10, "dropped_by": []}
    rates = {"sent_per_s": None, "dropped_per_s": None}
    return ChannelEdge(**{"name": name, "writers": writers, "readers": readers, **fields, **rates, **given})


@given(edges=edges_of_any_graph)
def test_every_edge_leads_to_the_right_or_closes_a_circle(edges):
    plan = placed(nodes, edges, pitch=60, pass_pitch=15)
    layer_of = {name: layer for layer, names in enumerate(plan.layers) for name in names}
    assert set(plan.paths) | set(plan.back) == set(edges)
    assert not set(plan.paths) & set(plan.back)
    for path in plan.paths.values():
        assert all(layer_of[right] == layer_of[left] + 1 for left, right in pairwise(path))


@given(edges=edges_of_any_graph)
def test_nobody_stands_on_another_one(edges):
    plan = placed(nodes, edges, pitch=60, pass_pitch=15)
    for names in plan.layers:
        room = [(60 if name in nodes else 15) for name in names]
        for (above, above_room), (below, below_room) in pairwise(zip(names, room, strict=True)):
            assert plan.y[below] - plan.y[above] >= (above_room + below_room) / 2 - 1e-6
    assert all(0 <= y <= plan.height for y in plan.y.values())


@given(edges=edges_of_any_graph)
def test_the_same_graph_is_always_placed_alike(edges):
    assert placed(nodes, edges, pitch=60, pass_pitch=15) == placed(nodes, edges, pitch=60, pass_pitch=15)


@given(names=st.lists(st.text(), min_size=3, max_size=3, unique=True), error=st.text())
def test_hostile_names_are_text(names, error):
    first, second, alone = names
    text = graph_svg(
        [actor(first, last_error=error), actor(second), actor(alone)], [channel("c", [first], [second])], title=error
    )
    root = ElementTree.fromstring(text)
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {"svg", "title", "desc", "g", "rect", "text", "path"}
    assert all(
        not attribute.startswith("on") and attribute != "style" for one in root.iter() for attribute in one.attrib
    )


def test_states_and_names_are_there_for_a_script():
    actors = [actor("reads", up=False), actor("writes", restarts=2), actor("idle")]
    full = channel("pipe", ["writes"], ["reads"], depth=9, dropped=5, dropped_per_s=1.5, sent_per_s=12_345.0)
    root = ElementTree.fromstring(graph_svg(actors, [full]))
    classes = {one.get("data-actor") or one.get("data-channel"): one.get("class") for one in root.iter(f"{SVG}g")}
    assert classes == {
        "reads": "graph-actor graph-down graph-stages",
        "writes": "graph-actor graph-up graph-restarted graph-stages",
        "idle": "graph-actor graph-up graph-stages",
        "pipe": "graph-channel graph-full graph-dropping",
    }
    said = {
        one.get("data-text"): one.text for one in root.iter(f"{SVG}text") if one.get("data-text") in ("depth", "rate")
    }
    assert said == {"depth": "9/10", "rate": "12.3k/s · 5 lost"}
    assert "down: reads" in root.find(f"{SVG}desc").text


def test_an_engine_without_the_lease_has_no_channels():
    assert ElementTree.fromstring(graph_svg([actor("feed_hub")], [])).get("viewBox")
    assert ElementTree.fromstring(graph_svg([], [])).get("viewBox")
