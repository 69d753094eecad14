"""What is said of the way to a server."""

import ssl
from dataclasses import replace
from typing import get_args

import pytest

from receiver.diagnosis.finding import Standing
from receiver.diagnosis.network import (
    Certificate,
    Failure,
    Reached,
    Remedies,
    certificate_of,
    judge,
    judge_certificate,
)

NOW = 1_795_000_000.0
DAY = 86400.0
REMEDIES = Remedies(address="REGISTRY_URL", authority="ADDON_SYNC_CA_FILE", plain="set INSECURE=true")
CERTIFICATE = Certificate(names=("registry.local",), since=NOW - 30 * DAY, until=NOW + 60 * DAY)
REACHED = Reached(
    target="registry.local:5000",
    addresses=("10.0.0.1",),
    connected="10.0.0.1",
    protocol="TLSv1.3",
    certificate=CERTIFICATE,
)


def test_each_step_that_was_taken_is_told() -> None:
    """With the names and the days of the certificate, and the protocol."""
    found = list(judge("registry", REACHED, REMEDIES, now=NOW))
    assert [one.check for one in found] == ["registry.name", "registry.connection", "registry.tls"]
    assert {one.standing for one in found} == {Standing.OK}
    assert found[2].text == "TLSv1.3; the certificate is for registry.local and valid for 60 more days"


@pytest.mark.parametrize("failure", get_args(Failure))
def test_each_failure_has_a_check_and_a_remedy(failure: Failure) -> None:
    """No place in a text is left empty."""
    reached = replace(REACHED, failure=failure, reason="why")
    *before, last = judge("registry", reached, REMEDIES, now=NOW)
    assert {one.standing for one in before} == {Standing.OK}
    assert (last.standing, "(why)" in last.text) == (Standing.BROKEN, True)
    assert last.remedy
    assert "{" not in last.text + last.remedy


@pytest.mark.parametrize(
    ("failure", "setting"),
    [
        ("name", "REGISTRY_URL"),
        ("certificate", "ADDON_SYNC_CA_FILE"),
        ("no tls", "INSECURE=true"),
        ("host", "REGISTRY_URL"),
    ],
)
def test_a_remedy_names_the_setting(failure: Failure, setting: str) -> None:
    """The one that is to blame."""
    *_, last = judge("registry", replace(REACHED, failure=failure), REMEDIES, now=NOW)
    assert setting in str(last.remedy)


def test_a_proxy_is_blamed_for_what_it_does() -> None:
    """Its name and its connection are those that were tried."""
    proxied = Reached(target="registry.local:5000", proxy="proxy.local:3128", failure="name")
    (found,) = judge("registry", proxied, REMEDIES, now=NOW)
    assert found.text == "proxy.local:3128 does not resolve"
    assert "ADDON_SYNC_PROXY" in str(found.remedy)


@pytest.mark.parametrize(
    ("life", "left", "standing"),
    [(90, 60, "ok"), (90, 15, "ok"), (90, 13, "warning"), (365, 13, "warning"), (2, 1, "ok"), (2, 0.5, "warning")],
)
def test_a_renewal_that_is_late_is_a_warning(life: float, left: float, standing: str) -> None:
    """Short-lived certificates have less time at all times."""
    certificate = Certificate(names=(), since=NOW + (left - life) * DAY, until=NOW + left * DAY)
    assert judge_certificate("registry.tls", certificate, "TLSv1.2", now=NOW).standing == standing


def test_what_python_says_of_a_certificate_is_read() -> None:
    """With a day of one digit; the seconds are those that the ssl module itself computes."""
    peer = {
        "notBefore": "Nov  2 10:00:00 2026 GMT",
        "notAfter": "Feb 12 23:59:59 2027 GMT",
        "subjectAltName": (("DNS", "registry.local"), ("IP Address", "10.0.0.1")),
    }
    found = certificate_of(peer)
    assert found is not None
    assert found.names == ("registry.local", "10.0.0.1")
    assert found.since == ssl.cert_time_to_seconds("Nov  2 10:00:00 2026 GMT")
    assert found.until == ssl.cert_time_to_seconds("Feb 12 23:59:59 2027 GMT")


@pytest.mark.parametrize("broken", [{}, {"notAfter": "soon"}, {"notBefore": 3, "notAfter": 4}])
def test_a_certificate_that_says_nothing_is_none(broken: dict[str, object]) -> None:
    """Nothing is made up."""
    assert certificate_of(broken) is None
