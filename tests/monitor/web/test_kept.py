"""Pages made once and shared."""

import asyncio

import pytest

from monitor.web import kept
from monitor.web.kept import Kept


class Maker:
    """Makes pages, and counts how often."""

    def __init__(self) -> None:
        self.made, self.fails = 0, False
        self.going = asyncio.Event()

    async def __call__(self) -> bytes:
        self.made += 1
        await self.going.wait()
        if self.fails:
            raise ValueError("it failed")
        return b"page %d" % self.made


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "OLDEST", 10**12)


async def test_whoever_asks_meanwhile_shares_it() -> None:
    make, pages = Maker(), Kept(lambda: 1)
    asked = [asyncio.create_task(pages.get("/", make)) for _ in range(50)]
    await asyncio.sleep(0)
    asked[0].cancel()  # one that goes does not spoil it for the others
    make.going.set()
    answers = await asyncio.gather(*asked[1:])
    assert {one.body for one in answers} == {b"page 1"} and make.made == 1


async def test_a_new_judgement_makes_it_anew() -> None:
    judgements, make = [1], Maker()
    pages = Kept(lambda: judgements[0])
    make.going.set()
    first = await pages.get("/", make)
    judgements[0] = 2
    second = await pages.get("/", make)
    assert (first.body, second.body) == (b"page 1", b"page 2") and first.tag != second.tag


async def test_a_failure_is_not_kept() -> None:
    make, pages = Maker(), Kept(lambda: 1)
    make.going.set()
    make.fails = True
    with pytest.raises(ValueError, match="it failed"):
        await pages.get("/", make)
    make.fails = False
    assert (await pages.get("/", make)).body == b"page 2"


async def test_only_so_many_addresses_are_kept() -> None:
    make, pages = Maker(), Kept(lambda: 1)
    make.going.set()
    for number in range(kept.MOST + 1):
        await pages.get(f"/?{number}", make)
    await pages.get("/?1", make)
    assert make.made == kept.MOST + 1
    await pages.get("/?0", make)
    assert make.made == kept.MOST + 2
