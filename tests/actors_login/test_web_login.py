import logging
import random

import pytest
import trio
from actors_login.session_world import CountingHasher, MemoryPasswords, MemorySessions, SetClock

from actors.login_urls import KEYS_MAX, VALID_S, LoginUrls
from actors.rules.login_throttle import FREE_TRIES
from actors.session_registry import SessionRegistry
from actors.web_login import WebLogin
from protocols.errors import TransientError
from protocols.sessions import LoginRefusal, SessionKind, SetSession, secret_digest

PASSWORD = "four plain words here"
NEW = "another phrase entirely"
ADDRESS = "203.0.113.7"


def login_of(*, allowed=True):
    sessions, clock = MemorySessions(), SetClock()
    passwords = MemoryPasswords(sessions)
    passwords.user("ann", f"#{PASSWORD}")
    passwords.user("nopass")
    rng = random.Random(1)
    return WebLogin(
        sessions=sessions,
        passwords=passwords,
        registry=SessionRegistry(store=sessions, clock=clock, rng=rng, is_money_real=False),
        hasher=CountingHasher(),
        urls=LoginUrls(is_allowed=allowed, secret_rng=rng, now_s=trio.current_time),
        clock=clock,
        secret_rng=rng,
    )


def reason(answer):
    return answer.reason.value if isinstance(answer, LoginRefusal) else "ok"


async def test_the_right_password_begins_a_new_session_each_time(autojump_clock):
    login = login_of()
    one, two = [await login.log_in("ann", PASSWORD, ADDRESS, "Firefox\n\x00" + "x" * 500) for _ in range(2)]
    assert one.secret != two.secret
    assert login.registry.find(secret_digest(one.secret)).user_name == "ann"
    assert (one.session.kind, one.lifetime_s, one.session.address) == (SessionKind.PASSWORD, 30 * 86_400, ADDRESS)
    assert one.session.user_agent == ("Firefox" + "x" * 500)[:200]
    assert login.results == {"ok": 2}


@pytest.mark.parametrize(
    ("name", "password"),
    [("ann", "wrong"), ("ann", ""), ("nobody", PASSWORD), ("nopass", PASSWORD), ("nopass", ""), ("gone", PASSWORD), ("", ""),
     ("a" * 5_000, PASSWORD), ("ann", PASSWORD * 1_000), ("ann\x00", PASSWORD), ("ann", "\ud800" * 12)],
)  # fmt: skip
async def test_everybody_else_gets_one_answer_after_the_same_work(autojump_clock, name, password):
    login = login_of()
    login.passwords.user("gone", f"#{PASSWORD}")
    login.sessions.disabled.add("u-gone")
    began = trio.current_time()
    answer = await login.log_in(name, password, ADDRESS)
    assert (reason(answer), answer.message, answer.retry_after_s) == (
        "wrong",
        "user name and password do not fit together",
        None,
    )
    assert login.hasher.work == ["verify"]
    assert trio.current_time() == pytest.approx(began + 0.1)
    assert login.sessions.rows == {}


async def test_guesses_are_throttled_by_address_and_by_name_and_cost_no_hash_then(autojump_clock):
    login = login_of()
    answers = [await login.log_in(f"user{number}", "x", ADDRESS) for number in range(FREE_TRIES + 1)]
    assert [reason(one) for one in answers] == ["wrong"] * FREE_TRIES + ["throttled"]
    assert answers[-1].retry_after_s >= 1
    assert len(login.hasher.work) == FREE_TRIES
    # Neither helps the right password from there, and others do not notice.
    assert reason(await login.log_in("ann", PASSWORD, ADDRESS)) == "throttled"
    assert reason(await login.log_in("ann", PASSWORD, "198.51.100.1")) == "ok"
    for number in range(FREE_TRIES):
        await login.log_in("ann", "x", f"192.0.2.{number}")
    assert reason(await login.log_in("ann", PASSWORD, "192.0.2.200")) == "throttled"
    await trio.sleep(60)
    assert reason(await login.log_in("ann", PASSWORD, "192.0.2.200")) == "ok"
    assert login.results == {"wrong": 2 * FREE_TRIES, "throttled": 3, "ok": 2}


async def test_guesses_at_the_same_moment_are_counted_too(autojump_clock):
    login, answers = login_of(), []

    async def guess(number):
        answers.append(reason(await login.log_in("ann", f"guess {number}", ADDRESS)))

    async with trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(guess, number)
    assert answers.count("wrong") == FREE_TRIES
    assert answers.count("throttled") == 30 - FREE_TRIES


async def test_what_is_our_own_fault_is_no_guess(autojump_clock):
    login = login_of()
    login.hasher.busy = True
    for _ in range(20):
        assert reason(await login.log_in("ann", PASSWORD, ADDRESS)) == "busy"
    login.hasher.busy, login.sessions.down = False, True
    for _ in range(20):
        with pytest.raises(TransientError):
            await login.log_in("ann", PASSWORD, ADDRESS)
    login.sessions.down = False
    assert reason(await login.log_in("ann", PASSWORD, ADDRESS)) == "ok"


async def test_a_password_that_changes_while_it_is_checked_lets_nobody_in(autojump_clock):
    login = login_of()

    async def change():
        login.hasher.during = None
        await login.passwords.set_password("u-ann", f"#{NEW}", revision="r0")

    login.hasher.during = change
    assert reason(await login.log_in("ann", PASSWORD, ADDRESS)) == "wrong"
    assert login.sessions.rows == {}


async def test_a_hash_of_older_parameters_is_made_anew(autojump_clock):
    login = login_of()
    login.passwords.user("ann", f"old#{PASSWORD}")
    assert reason(await login.log_in("ann", "wrong", ADDRESS)) == "wrong"
    assert login.passwords.rehashed == []
    assert reason(await login.log_in("ann", PASSWORD, ADDRESS)) == "ok"
    assert login.passwords.rehashed == [("u-ann", f"#{PASSWORD}", "r0")]


async def test_a_changed_password_ends_all_sessions_but_the_own(autojump_clock):
    login = login_of()
    mine, other = [await login.log_in("ann", PASSWORD, ADDRESS) for _ in range(2)]
    assert reason(await login.change_password("ann", "wrong", NEW)) == "wrong"
    assert reason(await login.change_password("ann", None, NEW)) == "wrong"
    assert reason(await login.change_password("ann", PASSWORD, "ann ann an")) == "unfit"
    assert await login.change_password("ann", PASSWORD, NEW, session_id=mine.session.session_id) is None
    assert [login.registry.find(secret_digest(one.secret)) is not None for one in (mine, other)] == [True, False]
    for _ in range(FREE_TRIES):
        assert reason(await login.change_password("ann", "wrong", NEW)) == "wrong"
    assert reason(await login.change_password("ann", NEW, PASSWORD)) == "throttled"


async def test_logging_out_holds_here_even_while_the_database_is_away(autojump_clock):
    login = login_of()
    one = await login.log_in("ann", PASSWORD, ADDRESS)
    login.sessions.down = True
    with pytest.raises(TransientError):
        await login.log_out(one.session.session_id, "u-ann")
    assert login.registry.find(secret_digest(one.secret)) is None
    login.sessions.down = False
    two, three = [await login.log_in("ann", PASSWORD, ADDRESS) for _ in range(2)]
    assert not await login.end_session("u-bob", two.session.session_id)
    assert await login.log_out_everywhere("u-ann", but=two.session.session_id) >= 1
    assert [login.registry.find(secret_digest(made.secret)) is not None for made in (two, three)] == [True, False]


async def test_a_login_url_lets_in_once_within_a_quarter_of_an_hour(autojump_clock):
    login = login_of()
    key = login.urls.make("ann")
    made = await login.log_in_once(key, "127.0.0.1")
    assert isinstance(made, SetSession)
    assert (made.session.kind, made.lifetime_s) == (SessionKind.LOGIN_URL, 86_400)
    for used in (key, "", "x" * 43, "é", key[:-1]):
        assert reason(await login.log_in_once(used, f"127.0.0.{len(used)}")) == "wrong"
    late, unknown = login.urls.make("ann"), login.urls.make("nobody")
    assert reason(await login.log_in_once(unknown, "127.0.1.1")) == "wrong"
    await trio.sleep(VALID_S)
    assert reason(await login.log_in_once(late, "127.0.1.2")) == "wrong"


async def test_login_urls_are_bounded_and_none_where_they_are_not_allowed(autojump_clock):
    login = login_of()
    keys = [login.urls.make("ann") for _ in range(KEYS_MAX + 1)]
    assert [login.urls.take(key) for key in keys] == [None] + ["ann"] * KEYS_MAX
    assert login_of(allowed=False).urls.make("ann") is None
    assert not any(key in repr(login.urls) + repr(login) for key in keys)


async def test_nothing_that_was_typed_is_logged(autojump_clock, caplog):
    caplog.set_level(logging.DEBUG)
    login = login_of()
    await login.log_in(PASSWORD, "in the wrong field", ADDRESS)
    await login.log_in("ann", "wrong phrase here", ADDRESS)
    made = await login.log_in("ann", PASSWORD, ADDRESS)
    logged = "".join(str(vars(record)) for record in caplog.records)
    assert "login refused" in logged
    assert not any(text in logged + repr(made) for text in (PASSWORD, "wrong field", "wrong phrase", made.secret))
