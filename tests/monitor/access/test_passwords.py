"""Passwords: their hashes, and checks of passwords that do not delay other clients."""

import asyncio
import hashlib
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.access.authenticator import Authenticator
from monitor.access.credentials import AccessDeniedError
from monitor.access.fair_queue import MAX_WAITING, MAX_WAITING_PER_NAME
from monitor.access.passwords import PasswordHash
from monitor.access.roles import Role
from monitor.access.settings import AuthConfig, UserConfig
from monitor.access.users import MAX_CACHED, StoredSecret, Users


def cheap_hash(password: str, log_n: int = 4) -> str:
    """Return a hash that is checked quickly. log_n: the cost."""
    digest = hashlib.scrypt(password.encode(), salt=b"12345678", n=2**log_n, r=8, p=1, dklen=32)
    salt, digest_text = (b64encode(part).decode().rstrip("=") for part in (b"12345678", digest))
    return f"$scrypt$ln={log_n},r=8,p=1${salt}${digest_text}"


def test_a_hash_matches_only_its_own_password() -> None:
    password_hash = PasswordHash.of("hunter2")
    assert password_hash.matches(b"hunter2") and not password_hash.matches(b"hunter3")
    assert PasswordHash.parse(str(password_hash)) == password_hash
    assert PasswordHash.of("hunter2") != password_hash


def test_a_hash_made_by_another_program_is_accepted() -> None:
    """Checks the third test vector in section 12 of RFC 7914, whose digest has 64 bytes."""
    digest = bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
    password_hash = PasswordHash(14, 8, 1, b"SodiumChloride", digest)
    assert password_hash.matches(b"pleaseletmein") and not password_hash.matches(b"pleaseletme")


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40))
@settings(max_examples=30)
def test_any_printable_text_can_be_a_password(password: str) -> None:
    assert PasswordHash.parse(cheap_hash(password)).matches(password.encode())


VALID_HASH = cheap_hash("hunter2")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "$2b$12$abcdefghijklmnopqrstuv",
        VALID_HASH.replace("ln=4", "ln=0"),
        VALID_HASH.replace("ln=4", "ln=40"),
        VALID_HASH.replace("ln=4", "ln=20"),
        VALID_HASH.replace("r=8", "r=0"),
        VALID_HASH.replace("p=1", "p=99"),
        VALID_HASH.replace("ln=4,r=8", "ln=16,r=1"),  # N >= 2 ** (16 * r), which scrypt does not allow
        VALID_HASH + "=",
        VALID_HASH[:-2],
        VALID_HASH.rpartition("$")[0] + "$c2hvcnQ",
        VALID_HASH.replace("MTIzNDU2Nzg", "MTIz"),
    ],
)
def test_a_text_that_is_no_password_hash_is_rejected(text: str) -> None:
    with pytest.raises(ValueError):
        PasswordHash.parse(text)


class Checks(ThreadPoolExecutor):
    """The executor of the event loop. count: how many checks of passwords were started.

    may_run: checks wait until it is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count, self.may_run = 0, threading.Event()
        self.may_run.set()

    def submit(self, check: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        def run() -> Any:
            self.may_run.wait()
            return check(*args, **options)

        self.count += 1
        return super().submit(run)


@pytest.fixture
async def checks() -> AsyncIterator[Checks]:
    """The executor of password checks; they wait while a test clears `may_run`."""
    checks = Checks()
    asyncio.get_running_loop().set_default_executor(checks)
    yield checks
    checks.may_run.set()


def users_named(*names: str, max_cached: int = MAX_CACHED) -> Users:
    entries = [{"name": name, "password_hash": cheap_hash(f"password of {name}")} for name in names]
    return Users([UserConfig.model_validate(entry) for entry in entries], max_cached)


async def test_right_passwords_are_cached_and_wrong_passwords_are_not(checks: Checks) -> None:
    users = users_named("ada", "bob")
    for _ in range(3):
        user = await users.find(b"ada", b"password of ada")
        assert user and user.name == "ada"
    assert checks.count == 1
    for _ in range(3):
        assert await users.find(b"ada", b"password of bob") is None
    assert checks.count == 4
    # This name and this password, joined, are the same bytes as ada's cached name and password.
    assert await users.find(b"adapassword of ", b"ada") is None


@pytest.mark.parametrize("name", ["ada", "bob", "carl", "eve"])
async def test_a_login_with_an_unknown_name_takes_as_long_as_with_a_known_name(name: str) -> None:
    hash_of_other_cost = str(PasswordHash(5, 8, 1, b"saltsalt", b"d" * 32))
    entries: list[dict[str, str]] = [
        {"name": "ada", "password_hash": cheap_hash("right")},
        {"name": "bob", "password_hash": hash_of_other_cost},
        {"name": "carl", "password": "right"},
    ]
    costs = []

    class CountedHash(PasswordHash):
        def matches(self, password: bytes) -> bool:
            costs.append(self.log_n)
            return super().matches(password)

    class CountedUser(UserConfig):
        @property
        def secret(self) -> StoredSecret:
            secret = super().secret
            return CountedHash(*astuple(secret)) if isinstance(secret, PasswordHash) else secret

    users = Users([CountedUser.model_validate(entry) for entry in entries])
    assert await users.find(name.encode(), b"wrong") is None
    assert sorted(costs) == [4, 5]  # one hash of each cost, whoever logs in


async def test_each_user_logs_in_with_their_own_password_whether_plain_or_hashed() -> None:
    entries: list[dict[str, str]] = [
        {"name": "ada", "password_hash": cheap_hash("of ada")},
        {"name": "bob", "password_hash": cheap_hash("of bob")},
        {"name": "carl", "password": "of carl"},
    ]
    users = Users([UserConfig.model_validate(entry) for entry in entries])
    for name in ("ada", "bob", "carl"):
        for password in ("of ada", "of bob", "of carl"):
            user = await users.find(name.encode(), password.encode())
            assert (user.name if user else None) == (name if password == f"of {name}" else None)


async def test_concurrent_logins_with_the_same_password_need_one_check(checks: Checks) -> None:
    users = users_named("ada")
    calls = [users.find(b"ada", b"password of ada") for _ in range(MAX_WAITING_PER_NAME)]
    assert all(await asyncio.gather(*calls))
    assert checks.count == 1


async def start_guesses(users: Users, names: Sequence[bytes], client: str) -> list[asyncio.Task[Any]]:
    """Start checks of a wrong password for each name, all at once."""
    guesses = [asyncio.create_task(users.find(name, b"wrong", client)) for name in names]
    await asyncio.sleep(0)
    return guesses


@pytest.mark.parametrize("client", ["192.0.2.1", "192.0.2.2"], ids=["same address", "another address"])
@pytest.mark.parametrize(
    "names", [[b"eve"] * 40, [b"eve-%d" % n for n in range(40)]], ids=["one name", "many names"]
)
async def test_wrong_logins_do_not_block_a_right_login(
    checks: Checks, names: list[bytes], client: str
) -> None:
    users = users_named("ada")
    checks.may_run.clear()
    guesses = await start_guesses(users, names, "192.0.2.1")
    right_login = asyncio.create_task(users.find(b"ada", b"password of ada", client))
    await asyncio.sleep(0)
    checks.may_run.set()
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    statuses = {outcome.status if isinstance(outcome, AccessDeniedError) else outcome for outcome in outcomes}
    assert statuses <= {None, 429}
    assert await right_login


async def test_the_address_with_most_waiting_checks_gives_a_place_in_the_queue_to_another_address(
    checks: Checks,
) -> None:
    users = users_named("ada")
    checks.may_run.clear()
    guesses = await start_guesses(users, [b"eve-%d" % n for n in range(100)], "192.0.2.1")
    right_login = asyncio.create_task(users.find(b"ada", b"password of ada", "192.0.2.2"))
    await asyncio.sleep(0)
    checks.may_run.set()
    assert await right_login
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    rejected = [outcome for outcome in outcomes if isinstance(outcome, AccessDeniedError)]
    assert len(rejected) == 100 - MAX_WAITING
    assert {(error.status, error.reason) for error in rejected} == {(429, "busy")}


async def test_a_check_from_another_address_runs_before_waiting_checks_of_one_address(checks: Checks) -> None:
    users, order = users_named("ada"), list[str]()
    checks.may_run.clear()
    guesses = await start_guesses(users, [b"eve-%d" % n for n in range(60)], "192.0.2.1")
    for guess in guesses:
        guess.add_done_callback(lambda _: order.append("guess"))
    right_login = asyncio.create_task(users.find(b"ada", b"password of ada", "192.0.2.2"))
    right_login.add_done_callback(lambda _: order.append("ada"))
    await asyncio.sleep(0)
    checks.may_run.set()
    await asyncio.gather(*guesses, right_login)
    assert order.index("ada") <= 2


async def test_a_waiter_that_is_cancelled_gives_its_turn_to_the_next(checks: Checks) -> None:
    users = users_named("ada")
    checks.may_run.clear()
    first, second, third = await start_guesses(users, [b"a", b"b", b"c"], "192.0.2.1")
    second.cancel()
    first.cancel()
    checks.may_run.set()
    assert await third is None
    await asyncio.gather(first, second, return_exceptions=True)
    assert await users.find(b"ada", b"password of ada")


async def test_at_most_max_cached_passwords_are_cached(checks: Checks) -> None:
    users = users_named("ada", "bob", max_cached=1)
    for name in (b"ada", b"bob", b"bob", b"ada"):
        assert await users.find(name, b"password of " + name)
    assert checks.count == 3


async def test_tokens_never_wait_behind_passwords(checks: Checks) -> None:
    token = "a-token-of-some-length"
    user_entries = [{"name": "ada", "password_hash": cheap_hash("of ada")}]
    tokens = [{"name": "prometheus", "role": "metrics", "token": token}]
    access = Authenticator(AuthConfig.model_validate({"users": user_entries, "tokens": tokens}))
    checks.may_run.clear()

    def scope_with(authorization: bytes) -> dict[str, Any]:
        return {"headers": [(b"authorization", authorization)], "client": ("192.0.2.1", 1)}

    guess = b"Basic " + b64encode(b"ada:wrong")
    guesses = [asyncio.create_task(access.authenticate(scope_with(guess), Role.METRICS)) for _ in range(40)]
    await asyncio.sleep(0)
    principal = await access.authenticate(scope_with(b"Bearer " + token.encode()), Role.METRICS)
    assert principal.name == "prometheus"
    checks.may_run.set()
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    assert {outcome.status for outcome in outcomes if isinstance(outcome, AccessDeniedError)} == {401, 429}
