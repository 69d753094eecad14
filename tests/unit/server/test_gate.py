"""For whom a credential speaks: every kind of proof, right and wrong (W1-W8)."""

import base64
import hmac
from collections.abc import Mapping

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from receiver.errors import Unauthenticated
from receiver.server.gate import EVERYBODY, WITHOUT_CREDENTIAL, Gate, Grant, Signed
from receiver.webhook.decode import BY_KEY, SENDERS

BODY = b'{"action":"published"}'
SECRETS = ("the old secret", "grün, und mit Komma")
PATH_SECRET = "a-secret-of-some-length"
SIGNED = {
    "ghcr": ("X-Hub-Signature-256", "sha256", "sha256="),
    "nexus": ("X-Nexus-Webhook-Signature", "sha1", ""),
    "artifactory": ("X-JFrog-Event-Auth", "sha256", ""),
    "gitea": ("X-Gitea-Signature", "sha256", ""),
}


def gate(shared: tuple[str, ...] | None = None, **senders: tuple[str, ...]) -> Gate:
    providers = {key: (lambda words=words: words) for key, words in senders.items()}
    return Gate(None if shared is None else lambda: shared, providers)


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


def admitted(gate: Gate, *pairs: tuple[str, str], body: bytes = BODY) -> Grant:
    grant = gate.admit(headers(*pairs))
    return grant.verify(body) if isinstance(grant, Signed) else grant


def refused(gate: Gate, *pairs: tuple[str, str], body: bytes = BODY) -> None:
    with pytest.raises(Unauthenticated) as caught:
        admitted(gate, *pairs, body=body)
    assert str(caught.value) == "a valid credential is required"


def signature(sender: str, secret: str, body: bytes = BODY) -> tuple[str, str]:
    header, algorithm, prefix = SIGNED[sender]
    return header, prefix + hmac.new(secret.encode(), body, algorithm).hexdigest()


def test_the_shared_token_speaks_for_everybody() -> None:
    """Whoever can send it: a proxy in front may add it for those who cannot."""
    basic = base64.b64encode(b"zot:token").decode()
    for value in ("Bearer token", f"Basic {basic}"):
        assert admitted(gate(("token",)), ("Authorization", value)) == EVERYBODY


@pytest.mark.parametrize("key", ["distribution", "gitlab", "zot", "acr", "harbor"])
def test_a_token_of_one_sender_speaks_for_it_only(key: str) -> None:
    """Also beside the shared one; an alias speaks for whom it is an alias of."""
    door = gate(("shared",), **{key: ("own", "next")})
    for word in ("own", "next"):
        assert admitted(door, ("Authorization", f"Bearer {word}")) == {BY_KEY[key].name, "unknown"}
    assert admitted(door, ("Authorization", "Bearer shared")) == EVERYBODY
    refused(door, ("Authorization", "Bearer other"))


@pytest.mark.parametrize("value", ["Bearer x y", "Basic eDp5", "just words", "grün"])
def test_harbor_sends_its_header_verbatim(value: str) -> None:
    """Whatever the operator wrote into the field, with a scheme or without."""
    door = gate(harbor=("first", value))
    assert admitted(door, ("authorization", value)) == {"harbor", "unknown"}
    refused(door, ("Authorization", value + "x"))
    refused(door, ("Authorization", value), ("Authorization", value))
    refused(door, ("X-JFrog-Event-Auth", value))


@pytest.mark.parametrize(("header", "sender"), [("Authorization", "harbor"), ("X-JFrog-Event-Auth", "artifactory")])
def test_the_shared_token_may_stand_alone_where_a_sender_knows_no_scheme(header: str, sender: str) -> None:
    """It speaks for that sender only, then."""
    assert admitted(gate(("token",)), (header, "token")) == {sender, "unknown"}
    refused(gate(("token",)), (header, "tokem"))


@pytest.mark.parametrize("sender", SIGNED)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_signature_over_the_body_is_enough(sender: str, secret: str) -> None:
    """With either of two secrets, while they are rotated; in capitals too (W7)."""
    door = gate(**{sender: SECRETS})
    header, value = signature(sender, secret)
    prefix = SIGNED[sender][2]
    assert admitted(door, (header, value)) == {sender, "unknown"}
    assert admitted(door, (header.lower(), prefix + value.removeprefix(prefix).upper())) == {sender, "unknown"}


@pytest.mark.parametrize("sender", SIGNED)
def test_a_wrong_signature_is_refused(sender: str) -> None:
    """Over another body, by another secret, cut, doubled, without its prefix or with another algorithm (W8)."""
    door = gate(**{sender: SECRETS})
    header, value = signature(sender, SECRETS[0])
    other = hmac.new(SECRETS[0].encode(), BODY, "md5").hexdigest()
    prefix = SIGNED[sender][2]
    refused(door, (header, value), body=BODY + b" ")
    refused(door, (header, value), body=b"")
    refused(door, signature(sender, "another secret"))
    refused(door, (header, value), (header, value))
    refused(door)
    wrong = [value[:-2], value[:-1], value + "00", prefix, prefix + other, f"sha1={other}", "sha512=" + "0" * 128]
    for presented in [*wrong, prefix + "grün", prefix + "\udcff", prefix + "zz" * 32]:
        refused(door, (header, presented))
    if prefix:
        refused(door, (header, value.removeprefix(prefix)))
        refused(door, (header, value.upper()))


def test_a_signature_under_the_header_of_another_sender_is_refused() -> None:
    """Gitea sends GitHub's header as well, with its own secret."""
    door = gate(ghcr=("secret of ghcr",), gitea=("secret of gitea",))
    mac = hmac.new(b"secret of gitea", BODY, "sha256").hexdigest()
    both = (("X-Hub-Signature-256", f"sha256={mac}"), ("X-Gitea-Signature", mac))
    assert admitted(door, *both) == {"gitea", "unknown"}
    refused(door, both[0])


def test_a_signature_of_a_sender_that_is_not_configured_is_refused_before_the_body() -> None:
    """No stranger makes us read one."""
    door = gate(("token",), nexus=("secret",))
    with pytest.raises(Unauthenticated):
        door.admit(headers(signature("ghcr", "token")))
    with pytest.raises(Unauthenticated):
        door.admit(headers(("X-Nexus-Webhook-Signature", "not hexadecimal")))


def test_the_shared_token_signs_nothing() -> None:
    """It travels in the clear, so that whoever saw it once could sign."""
    refused(gate(("token",)), signature("ghcr", "token"))


def test_artifactory_sends_its_secret_or_signs_with_it() -> None:
    """As the checkbox says."""
    door = gate(artifactory=SECRETS)
    assert admitted(door, ("X-JFrog-Event-Auth", SECRETS[0])) == {"artifactory", "unknown"}
    assert isinstance(door.admit(headers(signature("artifactory", SECRETS[0]))), Signed)


@pytest.mark.parametrize("sender", ["dockerhub", "quay", "google"])
def test_a_secret_in_the_path_speaks_for_its_sender(sender: str) -> None:
    """For those who can send nothing else."""
    door = gate(("token",), **{sender: ("an-older-secret-path", PATH_SECRET)})
    assert door.admit_path(PATH_SECRET) == {sender, "unknown"}
    for wrong in ("", PATH_SECRET[:-1], PATH_SECRET + "x", "token", "\udcff", "grün"):
        with pytest.raises(Unauthenticated):
            door.admit_path(wrong)
    refused(door, ("Authorization", f"Bearer {PATH_SECRET}"))


def test_credentials_of_other_kinds_open_no_path() -> None:
    """A path is written into logs: it must not be worth more than it has to."""
    door = gate((PATH_SECRET,), ghcr=(PATH_SECRET,), harbor=(PATH_SECRET,), nexus=(PATH_SECRET,))
    with pytest.raises(Unauthenticated):
        door.admit_path(PATH_SECRET)


def test_without_any_credential_only_those_are_let_in_who_need_none() -> None:
    """On loopback: Distribution, zot, ACR and Harbor; whoever has a proof of its own must show it."""
    assert admitted(gate()) == WITHOUT_CREDENTIAL == {"distribution", "zot", "acr", "harbor", "unknown"}
    with pytest.raises(Unauthenticated):
        gate().admit_path("")


@pytest.mark.parametrize("senders", [{"ghcr": SECRETS}, {"zot": ()}])
def test_one_configured_credential_closes_the_door(senders: Mapping[str, tuple[str, ...]]) -> None:
    """Also where its file was emptied since."""
    refused(gate(**senders))
    refused(gate(**senders), ("Authorization", "Bearer "))


def test_an_emptied_file_lets_nobody_in() -> None:
    """An empty secret would make signatures that everybody can make."""
    for sender in SIGNED:
        refused(gate(**{sender: ()}), signature(sender, ""))


def test_changed_words_count_from_the_next_request() -> None:
    """Rotation needs no restart."""
    words = {"ghcr": ("old",), "quay": ("old-old-old-old-old",)}
    door = Gate(None, {"ghcr": lambda: words["ghcr"], "quay": lambda: words["quay"]})
    assert admitted(door, signature("ghcr", "old"))
    words.update(ghcr=("new",), quay=("new-new-new-new-new",))
    assert admitted(door, signature("ghcr", "new"))
    assert door.admit_path("new-new-new-new-new")
    refused(door, signature("ghcr", "old"))


def test_every_secret_is_compared_by_digests_of_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time must not tell which one matched, or how long it is."""
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr("receiver.server.credentials.compare_digest", compare)
    monkeypatch.setattr("receiver.server.gate.hmac.compare_digest", compare)
    admitted(gate(ghcr=("a", "b", "c")), signature("ghcr", "a"))
    admitted(gate(harbor=("a", "b", "c")), ("Authorization", "a"))
    gate(quay=("a", "b", "c")).admit_path("a")
    assert compared == [(32, 32)] * 9


def test_nothing_of_a_claim_can_be_printed() -> None:
    """It holds the secrets that it is judged by."""
    claim = gate(ghcr=SECRETS).admit(headers(signature("ghcr", SECRETS[0])))
    assert SECRETS[0] not in f"{claim!r} {claim}"


def test_every_sender_has_a_proof() -> None:
    """Nobody is in the table whom no credential could let in."""
    assert all(sender.proofs for sender in SENDERS)


@pytest.mark.parametrize("header", [("Origin", "http://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "none")])
def test_a_browser_may_not_come_in_by_an_open_door(header: tuple[str, str]) -> None:
    """Any page that is open on this host could post; where a credential is needed, the header means nothing."""
    assert admitted(gate()) == WITHOUT_CREDENTIAL
    with pytest.raises(Unauthenticated, match="set ADDON_SYNC_TOKEN"):
        admitted(gate(), header)
    assert admitted(gate(("token",)), ("Authorization", "Bearer token"), header) == EVERYBODY
