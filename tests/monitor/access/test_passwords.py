"""Passwords: how they are kept, and that checking them does not slow anybody down."""

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.access import users
from monitor.access.claims import Refused
from monitor.access.config import UserConfig
from monitor.access.passwords import PasswordHash
from monitor.access.users import MOST_WAITING, Users


def quick(password: str, log_n: int = 4) -> str:
    """A hash of small cost."""
    digest = hashlib.scrypt(password.encode(), salt=b"12345678", n=2**log_n, r=8, p=1, dklen=32)
    salt, made = (b64encode(part).decode().rstrip("=") for part in (b"12345678", digest))
    return f"$scrypt$ln={log_n},r=8,p=1${salt}${made}"


def test_a_hash_is_of_its_password_alone() -> None:
    made = PasswordHash.of("hunter2")
    assert made.matches(b"hunter2") and not made.matches(b"hunter3")
    assert PasswordHash.parse(str(made)) == made
    assert PasswordHash.of("hunter2") != made


def test_a_hash_that_others_made() -> None:
    """The third test vector of RFC 7914, 12, with the digest cut to 64 bytes as given there."""
    digest = bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
    made = PasswordHash(14, 8, 1, b"SodiumChloride", digest)
    assert made.matches(b"pleaseletmein") and not made.matches(b"pleaseletme")


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40))
@settings(max_examples=30)
def test_whatever_is_printable_can_be_a_password(password: str) -> None:
    assert PasswordHash.parse(quick(password)).matches(password.encode())


GOOD = quick("hunter2")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "$2b$12$abcdefghijklmnopqrstuv",
        GOOD.replace("ln=4", "ln=0"),
        GOOD.replace("ln=4", "ln=40"),
        GOOD.replace("ln=4", "ln=20"),
        GOOD.replace("r=8", "r=0"),
        GOOD.replace("p=1", "p=99"),
        GOOD.replace("ln=4,r=8", "ln=16,r=1"),  # which scrypt does not allow
        GOOD + "=",
        GOOD[:-2],
        GOOD.rpartition("$")[0] + "$c2hvcnQ",
        GOOD.replace("MTIzNDU2Nzg", "MTIz"),
    ],
)
def test_what_is_no_hash(text: str) -> None:
    with pytest.raises(ValueError):
        PasswordHash.parse(text)


class Counted:
    """How often a password was really checked; the checks wait for `go`, where there is one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times, real = 0, users.asyncio.to_thread  # type: ignore[attr-defined]
        self.go: asyncio.Event | None = None

        self.against: list[object] = []

        async def checked(check: Callable[..., bool], secret: object, password: bytes) -> bool:
            self.times += 1
            self.against.append(secret)
            if self.go:
                await self.go.wait()
            return bool(await real(check, secret, password))

        monkeypatch.setattr(users.asyncio, "to_thread", checked)  # type: ignore[attr-defined]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def some(*names: str) -> Users:
    entries = [{"name": name, "password_hash": quick(f"password of {name}")} for name in names]
    return Users([UserConfig.model_validate(one) for one in entries])


async def test_what_was_right_is_remembered_and_what_was_wrong_is_not(counted: Counted) -> None:
    known = some("ada", "bob")
    for _ in range(3):
        found = await known.find(b"ada", b"password of ada")
        assert found and found.name == "ada"
    assert counted.times == 1
    for _ in range(3):
        assert await known.find(b"ada", b"password of bob") is None
    assert counted.times == 4
    assert await known.find(b"adapassword of ", b"ada") is None


async def test_an_unknown_user_costs_as_much_as_a_known_one(counted: Counted) -> None:
    known = some("ada")
    for _ in range(2):
        assert await known.find(b"eve", b"password of ada") is None
    assert counted.against == [PasswordHash.parse(quick("password of ada"))] * 2


async def test_many_at_once_with_one_password_check_it_once(counted: Counted) -> None:
    known = some("ada")
    calls = [known.find(b"ada", b"password of ada") for _ in range(MOST_WAITING)]
    assert all(await asyncio.gather(*calls))
    assert counted.times == 1


async def test_too_many_guesses_at_once_are_refused_but_not_those_who_are_known(counted: Counted) -> None:
    known = some("ada")
    assert await known.find(b"ada", b"password of ada")
    counted.go = asyncio.Event()
    guesses = [asyncio.create_task(known.find(b"ada", str(n).encode())) for n in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await known.find(b"ada", b"one more")
    assert (refused.value.status, refused.value.reason) == (503, "busy")
    assert await known.find(b"ada", b"password of ada")
    counted.go.set()
    assert await asyncio.gather(*guesses) == [None] * MOST_WAITING
    assert await known.find(b"ada", b"one more") is None  # there is room again


async def test_what_is_remembered_is_bounded(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "MOST_KEPT", 1)
    known = some("ada", "bob")
    for name in (b"ada", b"bob", b"bob", b"ada"):
        assert await known.find(name, b"password of " + name)
    assert counted.times == 3
