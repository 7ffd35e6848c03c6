import pytest
from pages.drawn_shape import text_of
from pages.page_world import page_world
from score.made_figures import made_drift, made_model

from protocols.users import Scope


@pytest.fixture
async def world(database, aio):
    async with page_world(database) as one:
        yield one


async def test_models_say_how_good_they_are_and_are_switched(world):
    root, store = await world.visitor("root", *Scope), world.io.models
    nothing = await world.get("/engine/models", root)
    assert "No model was trained yet" in text_of(nothing.html)
    good, bad = await store.add(made_model()), await store.add(made_model(price=0.01))
    await store.keep_drift(good, made_drift())
    page = await world.get("/engine/models", root)
    assert page.is_harmless()
    shown = text_of(page.html)
    for words in ("may judge", "refused", "drifted", "-0.00200", "No model judges"):
        assert words in shown
    answer = await world.ask("POST", f"/api/admin/models/{bad}/activate", root, json={})
    assert answer.status_code == 409
    answer = await world.ask("POST", f"/api/admin/models/{good}/activate", root, json={"reason": "try"})
    assert answer.status_code == 200
    shown = text_of((await world.get("/engine/models", root)).html)
    assert f"Model {good} scores the trades" in shown
    assert "by root: try" in " ".join(shown.split())
    answer = await world.ask("POST", "/api/admin/models/deactivate", root, json={})
    assert answer.status_code == 200


async def test_a_model_s_own_page_has_the_whole_report(world):
    root, store = await world.visitor("root", *Scope), world.io.models
    model_id = await store.add(made_model(price_fit=0.5))
    await store.keep_drift(model_id, made_drift())
    page = await world.get(f"/engine/models/{model_id}", root)
    assert page.is_harmless()
    shown = " ".join(text_of(page.html).split())
    for words in ("0.4 to 0.5", "The price, drawn straight", "It does not beat the baseline price_fit", "worse than the price",
                  "log_usd 0.90", "void: 3", "12 trades whose market was open"):  # fmt: skip
        assert words in shown, words
    assert (await world.get(f"/engine/models/{model_id + 1}", root)).status == 404
    assert (await world.get("/engine/models", await world.visitor("ann"))).status == 403
