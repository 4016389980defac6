"""Numbers of things in words: `1 shard`, `2 queries`, `1,200 series`."""

import re
from functools import lru_cache

SAME = "series"  # its singular is its plural
CONSONANT_Y = re.compile("[^aeiou]y")
ENDS_WITH_HISS = ("s", "x", "sh", "ch")  # the plural adds `es`
ES_PLURALS = ("sses", "xes", "shes", "uses", "iases")  # endings whose singular has no `es`


def plural(noun: str) -> str:
    """Return the plural of an English noun: `shards`, `queries`, `addresses`; `series` stays."""
    if noun.endswith(SAME):
        return noun
    if CONSONANT_Y.fullmatch(noun[-2:]):
        return f"{noun[:-1]}ies"
    return noun + ("es" if noun.endswith(ENDS_WITH_HISS) else "s")


@lru_cache(maxsize=1024)
def singular(noun: str) -> str:
    """Return the singular of a plural; a noun without `s` at its end stays, and so does `series`."""
    if noun.endswith(SAME) or not noun.endswith("s"):
        return noun
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    return noun[:-2] if noun.endswith(ES_PLURALS) else noun[:-1]


def count_of(number: int, noun: str) -> str:
    """Return a number and its noun, which is given in the singular: `1 cell`, `2 cells`, `1,200 series`."""
    return f"{number:,} {agreeing(number, noun, plural(noun))}"


def agreeing(number: float, one: str, several: str) -> str:
    """Return the word that goes with a number of things, such as `is` or `are`."""
    return one if number == 1 else several
