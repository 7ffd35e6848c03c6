"""Who may do what: tokens over the real engine, from making to revoking."""

import json

import trio
from engine_cli.cli_process import polycopy
from simulation.api_world import ADMIN, QUIET, api_engine
from simulation.ingest_world import ingest_world

REVOKED_WITHIN_S = 2


def refusal(response):
    """Everything of an answer but the moment at which it was given."""
    headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"date"]
    return response.status_code, headers, response.content


async def until_refused(engine, token):
    with trio.fail_after(REVOKED_WITHIN_S):
        while not await engine.answers("/api/me", 401, token=token):
            await trio.sleep(0.02)


async def operations(engine):
    document = json.loads((await engine.get("/api/openapi.json", token=None)).text)
    return [
        (method.upper(), path.replace("{", "").replace("}", ""), operation["security"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


async def test_scopes_hold_and_a_revoked_token_does_not(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world, api_engine(world, tmp_path) as engine:
        await engine.user("ann")
        tokens = {scope: await engine.token("ann", scope) for scope in ("read", "trade", "admin")}
        read, read_id = tokens["read"]
        me = await engine.done("GET", "/api/me", token=read)
        assert (me["userName"], me["tokenId"], me["scopes"]) == ("ann", read_id, ["read"])

        for method, path, (security, _) in await operations(engine):
            for scope, (token, _) in tokens.items():
                if security["bearer"] and scope not in security["bearer"]:
                    response = await engine.ask(method, path, token=token)
                    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden"), path
        response = await engine.ask("POST", "/api/tokens", token=read, json={"name": "more", "scopes": ["admin"]})
        assert response.status_code == 403
        assert (await engine.get("/api/tokens", token=read, params={"user": "admin"})).status_code == 403

        shown = await engine.done("GET", "/api/tokens", token=read)
        assert {one["tokenId"] for one in shown["tokens"]} == {token_id for _, token_id in tokens.values()}
        assert not any(token in json.dumps(shown) for token, _ in tokens.values())

        revoked, revoked_id = await engine.token("ann", "read")
        await engine.done("DELETE", f"/api/tokens/{revoked_id}", token=read)
        assert await engine.answers("/api/me", 401, token=revoked), "at once, where it was revoked"

        env = {"POLYCOPY_DATABASE__URL": database.dsn}
        done = await trio.to_thread.run_sync(lambda: polycopy("tokens", "revoke", tokens["trade"][1], env=env))
        assert done.returncode == 0, done.stderr
        await until_refused(engine, tokens["trade"][0])

        await engine.done("POST", "/api/admin/users/ann/disable")
        for token in (read, tokens["admin"][0]):
            await until_refused(engine, token)

        bearer = {"Authorization": f"Bearer {read}"}
        refused = [
            await engine.http.get("/api/v2/feed/trades", headers=headers)
            for headers in (
                {},
                bearer,
                {"Authorization": ""},
                {"Authorization": "Bearer"},
                {"Authorization": f"Basic {ADMIN}"},
                {"Authorization": f"Bearer {ADMIN}x"},
                {"Authorization": f"Bearer {'x' * 4_000}"},
                {"Authorization": b"Bearer \xff\xfe"},
                [("Authorization", f"Bearer {ADMIN}"), ("Authorization", f"Bearer {ADMIN}")],
                {"Cookie": f"token={ADMIN}"},
            )
        ]
        refused += [await engine.http.get("/api/v2/feed/trades", params={"limit": "x"}, headers=bearer)]
        assert refused[0].status_code == 401
        assert refused[0].headers["www-authenticate"] == "Bearer"
        assert {str(refusal(response)) for response in refused} == {str(refusal(refused[0]))}
        for token, _ in tokens.values():
            assert token not in engine.process.log_text()
        assert ADMIN not in engine.process.log_text()
