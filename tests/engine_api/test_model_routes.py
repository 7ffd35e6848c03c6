import msgspec
import pytest
from score.made_figures import made_drift, made_model

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.model_store import PostgresModelStore
from engine.api.errors import ApiError
from engine.api.model_routes import SwitchBody, model_routes
from engine.api.params import parsed
from engine.api.route import Call, Rate
from protocols.users import Principal, Scope

ADMIN = Principal(user_id="u", user_name="ann", token_id="t", scopes=frozenset({Scope.ADMIN}))
LIST = "/api/admin/models"


@pytest.fixture
async def store(database, aio):
    connection = Connection(database, "test")
    yield PostgresModelStore(connection)
    await connection.aclose()


def asker(store, score_file=""):
    routes = {route.path: route for route in model_routes(store, score_file=score_file)}

    async def call(path, *, reason="", **given):
        route = routes[LIST + path]
        assert (route.scope, route.rate) == (Scope.ADMIN, Rate.ADMIN)
        params = parsed([one for one in route.params if not one.in_path], {
            name: [str(value)] for name, value in given.items() if name != "modelId"
        })  # fmt: skip
        if "modelId" in given:
            params["modelId"] = str(given["modelId"])
        body = SwitchBody(reason=reason) if route.body else None
        answer = await route.handler(Call(principal=ADMIN, params=params, body=body, headers={}))
        assert isinstance(answer, route.answer)
        return msgspec.json.decode(msgspec.json.encode(answer))

    return call


async def test_models_are_listed_in_pages_with_what_speaks_against_them(store):
    ask = asker(store)
    good, bad = await store.add(made_model()), await store.add(made_model(price=0.01))
    await store.keep_drift(good, made_drift())
    first = await ask("", limit=1)
    assert (first["active"], first["scoreFile"], first["nextBefore"]) == (None, False, bad)
    assert "baseline price out" in first["models"][0]["refusals"][0]
    rest = await ask("", limit=1, before=first["nextBefore"])
    [model] = rest["models"]
    assert (model["modelId"], model["refusals"], model["drift"]["drifted"], rest["nextBefore"]) == (
        good,
        [],
        True,
        None,
    )
    assert model["drift"]["stability"] == {"probability": 0.4, "log_usd": 0.9, "price": 0.1}


async def test_a_report_has_it_all(store):
    model_id = await store.add(made_model())
    report = await asker(store)("/{modelId}", modelId=model_id)
    assert report["model"]["gains"]["priceFit"]["high"] == -0.001
    assert report["calibration"][0]["wonLow"] == 0.3
    assert (report["train"]["events"], report["embargoed"], report["leftOut"]) == (4_000, 12, {"void": 3})
    with pytest.raises(ApiError) as caught:
        await asker(store)("/{modelId}", modelId=model_id + 1)
    assert caught.value.status == 404


async def test_switching_is_refused_or_done_and_remembered(store):
    ask = asker(store)
    good, bad = await store.add(made_model()), await store.add(made_model(price_fit=0.01))
    for path, given, status in (
        ("/{modelId}/activate", {"modelId": bad}, 409),
        ("/{modelId}/activate", {"modelId": bad + 1}, 404),
        ("/{modelId}/activate", {"modelId": good, "reason": "x" * 501}, 400),
        ("/deactivate", {}, 409),
    ):
        with pytest.raises(ApiError) as caught:
            await ask(path, **given)
        assert caught.value.status == status
    with pytest.raises(ApiError, match="score_file is set"):
        await asker(store, score_file="scores.csv")("/{modelId}/activate", modelId=good)
    done = await ask("/{modelId}/activate", modelId=good, reason="try")
    assert (done["modelId"], done["by"], done["reason"]) == (good, "ann", "try")
    assert (await ask(""))["active"] == good
    assert (await ask("/deactivate"))["modelId"] is None
    found = await ask("/switches", limit=1)
    assert (found["switches"][0]["modelId"], found["nextBefore"]) == (None, found["switches"][0]["switchId"])
    rest = await ask("/switches", limit=1, before=found["nextBefore"])
    assert (rest["switches"][0]["modelId"], rest["nextBefore"]) == (good, None)
