"""Hazards F: what the host does to an installation. Shown by tests of their own, since nothing about it is pushed."""

from tests.support.hazards import Elsewhere

_HOST = "tests/fault/test_host_faults.py"
_LINKS = "tests/fault/test_planted_links.py"
_CRASH = "tests/fault/test_install_crash.py"
_FAULTS = "tests/fault/test_install_faults.py"
_QUEUE = "tests/fault/test_queue_faults.py"
_KILLS = "tests/e2e/test_random_kills.py"
_FILES = "tests/unit/catalog/test_filesystem.py"
_STAGING = "tests/unit/catalog/test_staging.py"

CASES = (
    Elsewhere(
        id="F1",
        title="a full disk, from any call on: refused, the former release in place",
        tests=(
            f"{_FAULTS}::test_a_fault_at_any_call_leaves_old_or_new",
            f"{_STAGING}::test_a_failing_disk_is_an_install_error_and_leaves_nothing",
            f"{_QUEUE}::test_a_full_disk_refuses_and_recovers",
        ),
    ),
    Elsewhere(
        id="F2",
        title="death at any call, of an installation and of its recovery: old or new after the next start",
        verdict="accepted",
        tests=(
            f"{_CRASH}::test_death_at_any_call_and_in_any_recovery_leaves_old_or_new",
            f"{_KILLS}::test_25_random_kills_under_load",
        ),
    ),
    Elsewhere(
        id="F3",
        title="a rename that is refused (a file held open; on Windows by simulation): undone, tried again",
        tests=(
            f"{_FILES}::test_a_second_rename_that_fails_undoes_the_first",
            f"{_FAULTS}::test_a_fault_at_any_call_leaves_old_or_new",
        ),
    ),
    Elsewhere(
        id="F4",
        title="an I/O error from any call, fsync among them: refused, the former release in place",
        tests=(f"{_FAULTS}::test_a_fault_at_any_call_leaves_old_or_new",),
    ),
    Elsewhere(
        id="F5",
        title="a read-only catalogue (injected): refused until it can be written",
        tests=(f"{_HOST}::test_a_read_only_catalogue_keeps_its_release_until_it_can_be_written",),
    ),
    Elsewhere(
        id="F6",
        title="a link in the catalogue or in the state folder: refused, never followed",
        tests=(
            f"{_LINKS}::test_a_planted_link_is_refused_and_never_followed",
            f"{_LINKS}::test_a_planted_transaction_is_not_carried_out",
        ),
    ),
    Elsewhere(
        id="F6",
        title="a link of the operator's own within an addon, a junction (by simulation): kept, never followed",
        verdict="accepted",
        tests=(
            f"{_LINKS}::test_links_of_the_operator_within_an_addon_are_kept_and_not_followed",
            f"{_FILES}::test_links_are_no_plain_folders",
            f"{_FILES}::test_removing_follows_no_link",
        ),
    ),
    Elsewhere(
        id="F7",
        title="a staging folder that is swapped for a link while an archive is unpacked",
        tests=(
            f"{_STAGING}::test_a_link_planted_between_layers_is_not_followed",
            f"{_STAGING}::test_a_file_is_created_and_never_opened",
            f"{_STAGING}::test_a_planted_hard_link_is_not_written_through",
            f"{_LINKS}::test_a_staging_folder_that_is_swapped_for_a_link_is_not_followed",
        ),
    ),
    Elsewhere(
        id="F8",
        title="two receivers at once, on one state folder or on one catalogue: the second waits and says for whom",
        tests=(
            f"{_HOST}::test_two_receivers_do_not_serve_one_state_folder",
            f"{_HOST}::test_two_receivers_with_two_state_folders_do_not_share_a_catalogue",
            f"{_HOST}::test_two_commands_at_once_install_what_each_was_asked_for",
        ),
    ),
    Elsewhere(
        id="F9",
        title="umask 077 and 000: the same modes",
        verdict="normalised",
        tests=(f"{_HOST}::test_modes_do_not_depend_on_the_umask",),
    ),
    Elsewhere(
        id="F10",
        title="a clock that jumps, between and during installations and leases",
        verdict="accepted",
        tests=(
            f"{_HOST}::test_a_clock_that_jumps_changes_no_installation",
            f"{_HOST}::test_a_clock_that_jumps_during_an_installation_makes_no_second_one",
            f"{_HOST}::test_after_a_clock_that_jumped_back_an_event_is_served_at_once",
        ),
    ),
)
