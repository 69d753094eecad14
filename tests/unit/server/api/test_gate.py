"""Which words open the API."""

from receiver.server.api.gate import Keys


def test_the_same_tuple_is_given_until_words_change() -> None:
    """Who compares by it hashes once; a sender that gets a word of the API takes it away."""
    tokens: tuple[str, ...] = ("one", "two")
    senders: tuple[str, ...] = ("three",)
    keys = Keys(lambda: tokens, host="host", senders=[lambda: senders])
    words = keys()
    assert words == ("host", "one", "two")
    assert keys() is words
    senders = ("two",)
    assert keys() == ("host", "one")
    tokens = ("four",)
    assert keys() == ("host", "four")


def test_without_tokens_and_host_there_are_no_keys() -> None:
    """An API that nobody can use is not there; one whose file was emptied is, and refuses."""
    assert not Keys(None, host=None, senders=[]).are_there
    emptied = Keys(lambda: (), host=None, senders=[])
    assert (emptied.are_there, emptied()) == (True, ())
