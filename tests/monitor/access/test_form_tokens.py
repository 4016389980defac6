"""The CSRF token of forms."""

import pytest

from monitor.access.form_tokens import ProcessFormTokenStore


def test_a_form_token_is_valid_only_in_the_store_that_made_it() -> None:
    store, other = ProcessFormTokenStore(), ProcessFormTokenStore()
    assert store.token() == store.token() != other.token()
    assert store.is_valid(store.token())
    assert not store.is_valid(other.token())


@pytest.mark.parametrize("token", ["", "wrong", "\u00e9", "\ud800"])
def test_any_other_text_is_no_valid_token(token: str) -> None:
    assert not ProcessFormTokenStore().is_valid(token)
