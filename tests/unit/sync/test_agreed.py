"""What a row read at SERIAL says about an own change whose answer was lost."""

from sync.agreed import settled


def test_the_own_nonce_shows_that_it_was_applied() -> None:
    assert settled((2, "mine"), (2, "mine")) == "applied"


def test_another_nonce_at_the_same_version_rules_it_out() -> None:
    assert settled((2, "mine"), (2, "of somebody else")) == "not_applied"


def test_an_older_row_leaves_it_open_and_a_newer_one_hides_it() -> None:
    assert settled((2, "mine"), (1, "first")) == "open"
    assert settled((2, "mine"), (3, "of somebody else")) == "passed"
