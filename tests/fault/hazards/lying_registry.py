"""Hazards J: a registry that lies. Each is shown by tests of the client, against a server on loopback."""

from tests.support.hazards import Elsewhere, Verdict

_AUTHENTICATION = "tests/fault/registry/test_authentication.py"
_BLOBS = "tests/fault/registry/test_lying_blobs.py"
_CHALLENGE = "tests/unit/registry/test_challenge.py"
_DOCUMENTS = "tests/fault/registry/test_lying_documents.py"
_RESUMPTION = "tests/fault/registry/test_resumption.py"
_HTTP = "tests/fault/registry/test_broken_http.py"
_LISTINGS = "tests/fault/registry/test_lying_listings.py"
_STREAM = "tests/unit/registry/test_stream.py"
_ANSWERS = "tests/unit/registry/test_answers.py"
_REDIRECTS = "tests/fault/registry/test_redirects.py"
_TLS = "tests/fault/registry/test_tls.py"
_TRANSPORT = "tests/unit/registry/test_transport.py"


def _case(number: int, title: str, *tests: str, verdict: Verdict = "refused") -> Elsewhere:
    return Elsewhere(id=f"J{number}", title=title, verdict=verdict, tests=tests)


CASES = (
    _case(
        1,
        "a challenge that names a token service at another host",
        f"{_AUTHENTICATION}::test_a_realm_elsewhere_is_never_asked",
        f"{_CHALLENGE}::test_a_token_service_elsewhere_is_not_asked",
    ),
    _case(
        2,
        "a challenge that names a token service over plain HTTP",
        f"{_AUTHENTICATION}::test_a_realm_elsewhere_is_never_asked",
        f"{_CHALLENGE}::test_a_listed_token_service_is_asked_with_tls_only",
    ),
    _case(
        3,
        "a challenge or a redirect to a link-local or private number",
        f"{_AUTHENTICATION}::test_a_realm_elsewhere_is_never_asked",
        f"{_REDIRECTS}::test_a_redirect_to_nowhere_good_is_refused",
        f"{_TRANSPORT}::test_a_number_is_judged_before_a_connection",
    ),
    _case(
        4,
        "a challenge that names a host whose name leads to this machine",
        f"{_AUTHENTICATION}::test_a_listed_token_service_is_judged_by_its_address",
        f"{_TRANSPORT}::test_a_name_is_judged_by_its_address",
    ),
    _case(
        5,
        "a realm that is no web address, empty, or relative",
        f"{_AUTHENTICATION}::test_a_realm_elsewhere_is_never_asked",
        f"{_CHALLENGE}::test_a_realm_that_is_no_url_is_refused",
    ),
    _case(
        6,
        "two challenges in one header, commas within quotes",
        f"{_CHALLENGE}::test_challenges_are_told_apart",
        verdict="accepted",
    ),
    _case(7, "401 for ever", f"{_AUTHENTICATION}::test_refusals_for_ever_end"),
    _case(
        8,
        "Basic over plain HTTP: only where INSECURE says so, and warned of",
        f"{_AUTHENTICATION}::test_basic_over_plain_http_is_warned_of",
        verdict="accepted",
    ),
    _case(
        9,
        "a blob redirected to another origin: it gets no credentials",
        f"{_REDIRECTS}::test_a_redirected_blob_takes_no_credentials_along",
        f"{_REDIRECTS}::test_a_chain_that_left_the_registry_gets_no_credentials_back",
        verdict="accepted",
    ),
    _case(
        10,
        "redirects in a circle, out of TLS, or to what is no web address",
        f"{_REDIRECTS}::test_a_redirect_loop_ends",
        f"{_REDIRECTS}::test_a_redirect_to_nowhere_good_is_refused",
        f"{_TLS}::test_tls_is_not_given_up_for_plain_http",
    ),
    _case(
        11,
        "a next page at another host, the same page for ever, pages without an end",
        f"{_LISTINGS}::test_a_next_page_elsewhere_is_not_asked",
        f"{_LISTINGS}::test_pages_without_an_end_end",
    ),
    _case(
        12,
        "Retry-After of nothing, of years, in the past, or no time at all: within bounds, and by the queue",
        f"{_DOCUMENTS}::test_a_rate_limit_is_not_slept_through",
        f"{_ANSWERS}::test_retry_after_is_bounded",
        verdict="normalised",
    ),
    _case(
        13,
        "a failure that passes, and a blob cut at any eighth",
        f"{_BLOBS}::test_a_blob_cut_anywhere_is_fetched_again",
        f"{_DOCUMENTS}::test_a_registry_that_stumbles_is_asked_again",
        verdict="accepted",
    ),
    _case(
        14,
        "a drip of a byte a second",
        f"{_BLOBS}::test_a_drip_is_given_up",
        f"{_STREAM}::test_a_drip_ends",
        f"{_STREAM}::test_a_body_ends_at_the_deadline",
    ),
    _case(
        15,
        "other bytes of the right size",
        f"{_BLOBS}::test_a_blob_that_lies_is_refused_at_once",
        f"{_RESUMPTION}::test_a_poisoned_part_does_not_survive",
    ),
    _case(
        16,
        "a tag that moves during a pull: what was resolved is installed",
        f"{_DOCUMENTS}::test_a_tag_that_moves_during_a_pull_changes_nothing",
        verdict="accepted",
    ),
    _case(
        17,
        "a manifest or repository that vanishes during a pull",
        f"{_DOCUMENTS}::test_an_artifact_that_vanishes_during_a_pull_is_missing",
    ),
    _case(
        18,
        "latest, v9, v10, v10-rc1, V2, 1.0 and a signature under one roof",
        "tests/unit/test_addon.py::test_a_mixed_set_of_tags_has_one_answer",
        verdict="accepted",
    ),
    _case(
        19,
        "206 with a wrong start or size, 200 to a range",
        f"{_RESUMPTION}::test_a_wrong_range_is_not_believed",
        f"{_RESUMPTION}::test_a_registry_that_ignores_ranges_sends_the_whole",
    ),
    _case(
        20,
        "a blob or a rest of it with a content encoding",
        f"{_RESUMPTION}::test_an_encoded_rest_is_refused",
        f"{_BLOBS}::test_a_blob_that_lies_is_refused_at_once",
    ),
    _case(
        21,
        "a Content-Length that lies either way; chunks without one",
        f"{_BLOBS}::test_a_blob_that_lies_is_refused_at_once",
        f"{_BLOBS}::test_a_body_without_a_length_is_taken",
    ),
    _case(
        22,
        "a manifest a byte too long, or without an end",
        f"{_DOCUMENTS}::test_a_manifest_of_the_largest_size_passes",
        f"{_DOCUMENTS}::test_the_limit_of_a_manifest_can_be_set_and_is_named",
        f"{_DOCUMENTS}::test_a_document_that_trickles_is_given_up",
    ),
    _case(
        23,
        "HEAD without a digest, or with a lie",
        f"{_DOCUMENTS}::test_a_head_that_says_no_digest_is_made_up_for",
        f"{_DOCUMENTS}::test_a_head_that_lies_is_found_out",
    ),
    _case(
        24,
        "two lengths, heads without an end, a storm of 1xx answers",
        f"{_HTTP}::test_an_answer_that_is_no_http_is_refused",
        f"{_HTTP}::test_a_storm_of_informational_answers_ends",
    ),
)
