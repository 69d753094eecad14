"""Hazards W: what is sent to the HTTP door. Shown by tests of their own, since nothing about it is pushed."""

from tests.support.hazards import Elsewhere

_ATTACKS = "tests/fault/test_endpoint_attacks.py"
_FLOOD = "tests/fault/test_endpoint_flood.py"
_TLS = "tests/fault/test_endpoint_tls.py"
_CREDENTIALS = "tests/unit/server/test_credentials.py"
_DECODE = "tests/unit/webhook/test_decode.py"
_QUEUE = "tests/fault/test_queue_faults.py"
_STRANGER = f"{_ATTACKS}::test_a_stranger_gets_the_generic_refusal"
_ONE_REFUSAL = f"{_CREDENTIALS}::test_everything_else_gets_one_and_the_same_refusal"
_UNREADABLE = f"{_ATTACKS}::test_what_cannot_be_read_gets_202_and_is_kept"
_AMBIGUOUS = f"{_DECODE}::test_an_ambiguous_body_is_malformed_for_every_sender"

CASES = (
    Elsewhere(
        id="W1",
        title="no credential",
        tests=(
            _STRANGER,
            f"{_ATTACKS}::test_a_stranger_is_answered_before_the_body_is_read",
            f"{_TLS}::test_where_certificates_are_wanted_senders_must_show_one",
        ),
    ),
    Elsewhere(id="W2", title="a scheme that we do not have", tests=(_STRANGER, _ONE_REFUSAL)),
    Elsewhere(
        id="W3",
        title="a wrong token of the same length, and again and again",
        tests=(
            _STRANGER,
            f"{_CREDENTIALS}::test_every_token_is_compared",
            f"{_ATTACKS}::test_an_address_that_guesses_is_barred_for_a_while",
        ),
    ),
    Elsewhere(id="W4", title="a token that is not ASCII, or no text", tests=(_STRANGER, _ONE_REFUSAL)),
    Elsewhere(id="W5", title="two credentials, one of them valid", tests=(_STRANGER, _ONE_REFUSAL)),
    Elsewhere(id="W6", title="Basic in broken Base64, or without a colon", tests=(_STRANGER, _ONE_REFUSAL)),
    Elsewhere(
        id="W6",
        title="Basic with a colon in the password",
        verdict="accepted",
        tests=(
            f"{_CREDENTIALS}::test_every_configured_token_is_valid_in_both_schemes",
            f"{_ATTACKS}::test_the_old_and_the_next_token_are_valid_until_the_old_one_is_taken_away",
        ),
    ),
    Elsewhere(
        id="W7",
        title="the next token beside the old one",
        verdict="accepted",
        tests=(f"{_ATTACKS}::test_the_old_and_the_next_token_are_valid_until_the_old_one_is_taken_away",),
    ),
    Elsewhere(
        id="W7",
        title="a token that was taken out of the list",
        tests=(
            f"{_ATTACKS}::test_the_old_and_the_next_token_are_valid_until_the_old_one_is_taken_away",
            f"{_CREDENTIALS}::test_a_changed_token_counts_from_the_next_request",
            f"{_CREDENTIALS}::test_an_emptied_token_file_closes_the_door",
        ),
    ),
    Elsewhere(
        id="W8",
        title="a signature over another body, with a wrong prefix, by another hash, or of another sender",
        tests=(
            "tests/fault/test_sender_attacks.py::test_an_altered_body_is_refused",
            "tests/fault/test_sender_attacks.py::test_nobody_gets_in_without",
            "tests/fault/test_sender_attacks.py::test_the_credential_of_one_sender_is_none_for_another",
        ),
    ),
    Elsewhere(
        id="W9",
        title="a body of 1 MiB",
        verdict="accepted",
        tests=(
            f"{_ATTACKS}::test_the_limit_of_a_body_is_a_mebibyte",
            f"{_TLS}::test_a_body_over_many_records_is_read_whole",
        ),
    ),
    Elsewhere(
        id="W9",
        title="a byte more than 1 MiB, announced or sent",
        tests=(
            f"{_ATTACKS}::test_the_limit_of_a_body_is_a_mebibyte",
            f"{_ATTACKS}::test_an_announced_body_over_the_limit_is_refused_unread",
            f"{_ATTACKS}::test_an_expected_body_over_the_limit_is_not_asked_for",
        ),
    ),
    Elsewhere(
        id="W10",
        title="chunks without end",
        tests=(
            f"{_ATTACKS}::test_an_endless_chunked_body_is_refused",
            f"{_ATTACKS}::test_a_chunked_body_over_the_limit_is_refused_although_it_came_whole",
            f"{_ATTACKS}::test_broken_chunks_are_not_taken",
        ),
    ),
    Elsewhere(
        id="W11",
        title="headers, or a TLS handshake, that come slowly or never",
        tests=(
            f"{_ATTACKS}::test_slow_headers_end_with_the_connection",
            f"{_ATTACKS}::test_slow_headers_of_a_later_request_end_with_the_connection",
            f"{_TLS}::test_a_handshake_that_does_not_end_is_ended",
        ),
    ),
    Elsewhere(
        id="W11",
        title="a sender, while thousands of connections idle, are slow or never agree on TLS",
        verdict="accepted",
        tests=(
            f"{_ATTACKS}::test_idle_connections_do_not_keep_a_sender_out",
            f"{_ATTACKS}::test_connections_that_began_a_request_do_not_keep_a_sender_out",
            f"{_TLS}::test_handshakes_that_never_end_do_not_keep_a_sender_out",
        ),
    ),
    Elsewhere(
        id="W12",
        title="a body that comes slowly or not to its end",
        tests=(
            f"{_ATTACKS}::test_a_slow_body_is_dropped_without_an_answer",
            f"{_ATTACKS}::test_a_drip_does_not_extend_the_deadline",
            f"{_ATTACKS}::test_a_body_that_is_cut_off_is_not_taken",
        ),
    ),
    Elsewhere(
        id="W13",
        title="a compressed body, such as a bomb: kept as it came, never unpacked",
        verdict="accepted",
        tests=(
            f"{_ATTACKS}::test_a_compressed_body_is_kept_as_it_came",
            f"{_DECODE}::test_a_compressed_body_is_never_unpacked",
        ),
    ),
    Elsewhere(
        id="W14",
        title="JSON nested without end, numbers of thousands of digits: kept",
        verdict="accepted",
        tests=(_UNREADABLE, _AMBIGUOUS, f"{_DECODE}::test_decoding_bytes_is_total"),
    ),
    Elsewhere(id="W15", title="a key that stands twice: kept", verdict="accepted", tests=(_UNREADABLE, _AMBIGUOUS)),
    Elsewhere(
        id="W16",
        title="half a surrogate pair, NUL, no UTF-8, in the body or in headers: kept, and escaped in the log",
        verdict="accepted",
        tests=(
            _UNREADABLE,
            f"{_ATTACKS}::test_headers_that_are_no_text_can_be_stored",
            f"{_ATTACKS}::test_neither_token_nor_control_characters_reach_the_log",
            "tests/unit/webhook/test_fields.py::test_other_text_never_reaches_log_or_database",
        ),
    ),
    Elsewhere(
        id="W17",
        title="no event, one, a thousand, and a bad one among them, which alone is kept",
        verdict="accepted",
        tests=(
            f"{_ATTACKS}::test_an_envelope_of_any_size_counts_each_event",
            "tests/unit/webhook/test_distribution.py::test_one_bad_event_does_not_take_the_others_along",
            "tests/unit/server/test_notifications.py::test_an_empty_envelope_is_fine",
        ),
    ),
    Elsewhere(
        id="W18",
        title="an unknown type of event, which counts as ignored; a wrong, doubled or absent Content-Type",
        verdict="accepted",
        tests=(
            f"{_ATTACKS}::test_no_type_of_a_delivery_is_refused",
            "tests/unit/webhook/test_cloudevents.py::test_what_concerns_no_addon_is_counted_by_reason",
            "tests/unit/webhook/test_distribution.py::test_the_shape_is_enough",
        ),
    ),
    Elsewhere(
        id="W19",
        title="an event that names another registry: a hint about ours, its address not even stored",
        verdict="accepted",
        tests=(
            f"{_ATTACKS}::test_a_hostile_address_is_neither_used_nor_stored_as_an_event",
            f"{_ATTACKS}::test_an_absolute_target_reaches_the_same_endpoint",
            "tests/unit/webhook/test_distribution.py::test_addresses_in_an_event_are_not_even_kept",
        ),
    ),
    Elsewhere(
        id="W20",
        title="one event a thousand times, across a restart: one task",
        verdict="accepted",
        tests=(
            f"{_FLOOD}::test_one_event_a_thousand_times_is_one_task",
            "tests/integration/test_endpoint.py::test_the_same_event_a_thousand_times_is_accepted_once",
            "tests/contract/test_task_queue.py::test_of_concurrent_duplicates_one_is_accepted",
        ),
    ),
    Elsewhere(
        id="W21",
        title="10,000 events at once for 14 addons: a row an addon",
        verdict="accepted",
        tests=(
            f"{_FLOOD}::test_ten_thousand_events_for_fourteen_addons_cost_a_row_an_addon",
            "tests/integration/test_endpoint.py::test_three_hundred_senders_at_once_are_all_answered",
        ),
    ),
    Elsewhere(
        id="W21",
        title="events about more repositories than the global cap: 503 with Retry-After",
        tests=(
            f"{_FLOOD}::test_a_flood_of_invented_names_is_refused_with_a_time_to_come_back",
            "tests/contract/test_task_queue.py::test_more_repositories_than_the_cap_are_refused_until_some_are_done",
        ),
    ),
    Elsewhere(
        id="W22",
        title="a full disk: 503 with Retry-After; accepted when there is room again",
        tests=(
            f"{_FLOOD}::test_a_full_disk_is_answered_with_503_until_there_is_room",
            f"{_QUEUE}::test_a_full_disk_refuses_and_recovers",
            f"{_QUEUE}::test_a_log_that_cannot_grow_refuses_and_recovers",
        ),
    ),
)
