"""The notification that does no harm, and what is said of its answer."""

import pytest

from receiver.diagnosis.endpoint import (
    MEDIA_TYPE,
    Answer,
    Example,
    judge_absence,
    judge_answer,
    judge_listener,
    judge_ready,
    outside,
)
from receiver.diagnosis.endpoint import notification as envelope
from receiver.diagnosis.finding import Finding, Standing
from receiver.document import encode
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded, Delivery

INSTALLED = Example(repository="addons/monitoring", tag="v1.0.0", digest="sha256:" + "a" * 64, is_addon=True)


def decoded(example: Example, prefix: str) -> Decoded:
    body = envelope(example, identifier="1", moment="2026-11-22T12:00:00+00:00")
    return decode(Delivery(headers={"content-type": MEDIA_TYPE}, body=body), prefix=prefix)


def test_an_installed_addon_is_a_hint_like_any_other() -> None:
    """It names who asked, and no instance: a new one would say that a registry was restarted."""
    found = decoded(INSTALLED, "addons/")
    (event,) = found.events
    assert (event.repository.name, event.actor, event.tag) == ("addons/monitoring", "addon-sync doctor", "v1.0.0")
    assert found.instance_id is None


@pytest.mark.parametrize("prefix", ["addons/", "addon-sync-doctor/", "addon-sync/", "a/b/"])
def test_where_nothing_is_installed_it_concerns_nobody(prefix: str) -> None:
    """Whatever the prefix is."""
    found = decoded(outside(prefix), prefix)
    assert (found.events, found.ignored, found.malformed) == ((), {"other repository": 1}, ())


def judged(
    status: int,
    body: object = None,
    *,
    example: Example = INSTALLED,
    source: str | None = "X",
    certificate: bool = False,
) -> Finding:
    answer = Answer(status=status, body=encode(body))
    return judge_answer(answer, example, url="http://h/v1", source=source, certificate=certificate)


def counts(accepted: int, ignored: int, quarantined: int) -> dict[str, int]:
    return {"accepted": accepted, "ignored": ignored, "quarantined": quarantined}


def test_the_counts_must_be_those_of_one_event() -> None:
    """Accepted where it is an addon, ignored where it is none."""
    assert judged(202, counts(1, 0, 0)).standing is Standing.OK
    assert judged(202, counts(0, 1, 0), example=outside("addons/")).standing is Standing.OK
    for wrong in (counts(0, 1, 0), counts(0, 0, 1), counts(0, 0, 0)):
        found = judged(202, wrong)
        assert (found.standing, "ADDON_SYNC_REPOSITORY_PREFIX" in str(found.remedy)) == (Standing.WARNING, True)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, None, "ADDON_SYNC_TOKEN"),
        (413, None, "ADDON_SYNC_MAX_BODY_SIZE"),
        (503, None, "durable"),
        (404, None, "not the receiver"),
        (200, None, "not the receiver"),
        (202, ["x"], "not the receiver"),
        (202, {"accepted": "1"}, "not the receiver"),
    ],
)
def test_any_other_answer_is_broken(status: int, body: object, words: str) -> None:
    """Another program may have the port."""
    found = judged(status, body)
    assert found.standing is Standing.BROKEN
    assert words in f"{found.text} {found.remedy}"


def test_a_refusal_is_right_where_there_was_nothing_to_show() -> None:
    """Neither a certificate of a client nor a credential of a sender is among the settings."""
    assert judged(401, source=None).standing is Standing.OK
    assert judged(401, certificate=True).standing is Standing.OK


def test_reasons_are_told() -> None:
    """Those that the receiver gives for not being ready."""
    (found,) = judge_ready(Answer(status=503, body=encode({"reasons": ["a", "b"]})), "http://h")
    assert (found.standing, "a; b" in found.text) == (Standing.BROKEN, True)
    (found,) = judge_ready(Answer(status=503, body=b"<html>"), "http://h")
    assert "does not say why" in found.text
    assert list(judge_ready(Answer(status=404, body=b""), "http://h")) == []


def test_a_listener_and_its_absence() -> None:
    """A free port is only a warning: a scheduler may run the polls."""
    assert judge_listener("http://a:1", "http://a:1", same=True).standing is Standing.OK
    assert judge_listener("http://a:2", "http://a:1", same=False).standing is Standing.WARNING
    assert judge_absence("http://a:1", free=True, reason="").standing is Standing.WARNING
    assert judge_absence("http://a:1", free=False, reason="in use").standing is Standing.BROKEN
