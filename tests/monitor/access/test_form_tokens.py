"""The token that forms carry."""

import pytest

from monitor.access.form_tokens import ProcessFormTokenStore


def test_the_token_of_a_process_stays_and_is_of_this_process_alone() -> None:
    store, other = ProcessFormTokenStore(), ProcessFormTokenStore()
    assert store.token() == store.token() != other.token()
    assert store.is_valid(store.token())
    assert not store.is_valid(other.token())


@pytest.mark.parametrize("token", ["", "wrong", "\u00e9", "\ud800"])
def test_any_other_text_is_refused(token: str) -> None:
    assert not ProcessFormTokenStore().is_valid(token)
