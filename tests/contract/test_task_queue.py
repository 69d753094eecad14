"""Every promise of `TaskQueue`, held to the durable queue and to the one in memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from receiver.errors import LeaseLost, QueueUnavailable
from receiver.tasks.limits import DUPLICATE_WINDOW, Limits
from receiver.tasks.memory import MemoryQueue
from receiver.tasks.queue import TaskQueue
from receiver.tasks.sqlite import SqliteQueue
from receiver.tasks.task import EVERYTHING, TRANSITIONS, Lease, State, Task, Trigger
from tests.support.deliveries import MONITORING, NOW, SECURITY, event, intake

LIMITS = Limits(repositories=4, instances=3)


@pytest.fixture(params=["memory", "sqlite"])
async def queue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TaskQueue]:
    opened: TaskQueue = (
        MemoryQueue(LIMITS) if request.param == "memory" else await SqliteQueue.open(tmp_path / "q.db", limits=LIMITS)
    )
    yield opened
    await opened.close()


async def only_task(queue: TaskQueue) -> Task:
    (task,) = await queue.tasks()
    return task


async def taken(queue: TaskQueue, *, now: float = NOW, seconds: float = 60.0) -> Lease:
    lease = await queue.lease(now=now, seconds=seconds)
    assert lease is not None
    return lease


async def states(queue: TaskQueue) -> Sequence[tuple[str, State]]:
    return [(task.repository, task.state) for task in await queue.tasks()]


async def leased(queue: TaskQueue) -> Lease:
    """A lease of the only addon."""
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW)
    return await taken(queue)


# ingest


async def test_an_event_becomes_a_task_that_is_due_now(queue: TaskQueue) -> None:
    """Accepted means: somebody will look."""
    receipt = await queue.ingest(intake(event(event_id="1")), now=NOW)
    assert (receipt.accepted, receipt.duplicates, receipt.new_instance) == (1, 0, False)
    assert await only_task(queue) == Task(
        repository=MONITORING, state=State.QUEUED, trigger=Trigger.EVENT, due=NOW, created=NOW
    )


async def test_a_flood_costs_one_row_an_addon(queue: TaskQueue) -> None:
    """1,000 pushes of two addons are two tasks."""
    for number in range(500):
        await queue.ingest(intake(event(MONITORING, f"m{number}"), event(SECURITY, f"s{number}")), now=NOW + number)
    assert await states(queue) == [(MONITORING, State.QUEUED), (SECURITY, State.QUEUED)]
    assert {task.due for task in await queue.tasks()} == {NOW}


async def test_a_second_event_with_the_same_identifier_is_dropped(queue: TaskQueue) -> None:
    """A sender that did not hear the answer says it again."""
    await queue.ingest(intake(event(event_id="1")), now=NOW)
    await queue.complete(await taken(queue), unpark=False)
    again = await queue.ingest(intake(event(event_id="1")), now=NOW + DUPLICATE_WINDOW - 1)
    assert (again.accepted, again.duplicates) == (0, 1)
    assert await queue.tasks() == []


async def test_identifiers_are_new_again_after_a_day(queue: TaskQueue) -> None:
    """Dropping duplicates is a courtesy for 24 hours, counted from the first and not from the last."""
    for when in (NOW, NOW + DUPLICATE_WINDOW - 1):
        await queue.ingest(intake(event(event_id="1")), now=when)
    assert (await queue.ingest(intake(event(event_id="1")), now=NOW + DUPLICATE_WINDOW)).accepted == 1
    assert (await queue.ingest(intake(event(event_id="1")), now=NOW + DUPLICATE_WINDOW + 1)).accepted == 0


async def test_an_identifier_from_the_far_future_does_not_silence_its_successors(queue: TaskQueue) -> None:
    """The clock was wrong by a year and was set right (F10)."""
    await queue.ingest(intake(event(event_id="1")), now=NOW + 365 * 86400)
    assert (await queue.ingest(intake(event(event_id="1")), now=NOW)).accepted == 1


async def test_senders_do_not_share_identifiers(queue: TaskQueue) -> None:
    """Counters of two senders may collide."""
    for sender in ("distribution", "zot"):
        assert (await queue.ingest(intake(event(event_id="1"), sender=sender), now=NOW)).accepted == 1


async def test_events_without_an_identifier_are_never_duplicates(queue: TaskQueue) -> None:
    """Nothing says that they are the same."""
    receipt = await queue.ingest(intake(event(), event()), now=NOW)
    assert (receipt.accepted, receipt.duplicates) == (2, 0)
    assert (await queue.ingest(intake(event()), now=NOW)).accepted == 1


async def test_duplicates_within_one_delivery_are_dropped(queue: TaskQueue) -> None:
    """Envelopes may hold many events, unrelated or not."""
    receipt = await queue.ingest(intake(event(event_id="1"), event(event_id="1"), event(event_id="2")), now=NOW)
    assert (receipt.accepted, receipt.duplicates) == (2, 1)


async def test_of_concurrent_duplicates_one_is_accepted(queue: TaskQueue) -> None:
    """The same event on 20 connections at once, which share a commit (W20)."""
    receipts = await asyncio.gather(*[queue.ingest(intake(event(event_id="1")), now=NOW) for _ in range(20)])
    assert sorted(receipt.accepted for receipt in receipts) == [0] * 19 + [1]


async def test_a_quarantined_delivery_means_look_at_everything(queue: TaskQueue) -> None:
    """What could not be read may have named any addon."""
    receipt = await queue.ingest(intake(verdict="quarantined", reason="no JSON"), now=NOW)
    assert (receipt.accepted, receipt.duplicates) == (0, 0)
    assert await only_task(queue) == Task(
        repository=EVERYTHING, state=State.QUEUED, trigger=Trigger.EVENT, due=NOW, created=NOW
    )


async def test_a_delivery_of_nothing_queues_nothing(queue: TaskQueue) -> None:
    """Ignored events may be ingested for their instance alone."""
    await queue.ingest(intake(instance_id="a"), now=NOW)
    assert await queue.tasks() == []


async def test_a_restarted_registry_means_look_at_everything(queue: TaskQueue) -> None:
    """The queue of Distribution is lost with its process; the first process ever seen lost nothing of ours."""
    first = await queue.ingest(intake(instance_id="a"), now=NOW)
    same = await queue.ingest(intake(instance_id="a"), now=NOW + 1)
    assert (first.new_instance, same.new_instance, await queue.tasks()) == (False, False, [])
    assert (await queue.ingest(intake(instance_id="b"), now=NOW + 2)).new_instance
    assert (await only_task(queue)).repository == EVERYTHING
    assert not (await queue.ingest(intake(instance_id="a"), now=NOW + 3)).new_instance


async def test_a_process_of_another_sender_is_not_a_restart(queue: TaskQueue) -> None:
    """Two registries may send."""
    await queue.ingest(intake(instance_id="a"), now=NOW)
    assert not (await queue.ingest(intake(instance_id="b", sender="acr"), now=NOW)).new_instance


async def test_processes_are_remembered_up_to_a_limit(queue: TaskQueue) -> None:
    """A sender that invents processes does not fill the disk; the longest unheard is forgotten, and then new again."""
    for number in range(LIMITS.instances + 1):
        await queue.ingest(intake(instance_id=f"i{number}"), now=NOW + number)
    assert not (await queue.ingest(intake(instance_id="i1"), now=NOW + 10)).new_instance
    assert (await queue.ingest(intake(instance_id="i0"), now=NOW + 11)).new_instance


# caps


async def test_more_repositories_than_the_cap_are_refused_until_some_are_done(queue: TaskQueue) -> None:
    """A flood of invented names is bounded, refuses nothing that is known, and ends."""
    names = [f"addons/a{number}" for number in range(LIMITS.repositories)]
    for name in names:
        await queue.ingest(intake(event(name)), now=NOW)
    with pytest.raises(QueueUnavailable):
        await queue.ingest(intake(event("addons/more", "1")), now=NOW)
    with pytest.raises(QueueUnavailable):
        await queue.enqueue(["addons/more"], trigger=Trigger.COMMAND, now=NOW)
    assert (await queue.ingest(intake(event(names[1])), now=NOW)).accepted == 1
    assert [task.repository for task in await queue.tasks()] == names

    await queue.complete(await taken(queue), unpark=False)
    assert (await queue.ingest(intake(event("addons/more", "1")), now=NOW)).accepted == 1
    assert await queue.known_repositories() == [*names[1:], "addons/more"]


async def test_one_refused_delivery_does_not_take_its_neighbours_down(queue: TaskQueue) -> None:
    """They share a commit, not a fate."""
    answers = await asyncio.gather(
        *[queue.ingest(intake(event(f"addons/a{number}")), now=NOW) for number in range(LIMITS.repositories + 1)],
        return_exceptions=True,
    )
    assert [isinstance(answer, QueueUnavailable) for answer in answers] == [False] * LIMITS.repositories + [True]
    assert len(await queue.tasks()) == LIMITS.repositories


# enqueue


async def test_a_second_wish_joins_the_first_at_the_earlier_time(queue: TaskQueue) -> None:
    """Whatever asks, there is one queued task, and it keeps its attempts and error."""
    lease = await leased(queue)
    await queue.retry(lease, due=NOW + 100, error="unreachable")
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW + 1, due=NOW + 200)
    assert (await only_task(queue)).due == NOW + 100
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW + 1)
    task = await only_task(queue)
    assert (task.due, task.created, task.attempts, task.error) == (NOW + 1, NOW, 1, "unreachable")


@pytest.mark.parametrize(
    ("old", "new", "joined"),
    [
        (Trigger.POLL, Trigger.EVENT, Trigger.EVENT),
        (Trigger.EVENT, Trigger.POLL, Trigger.EVENT),
        (Trigger.POLL, Trigger.COMMAND, Trigger.COMMAND),
        (Trigger.COMMAND, Trigger.POLL, Trigger.COMMAND),
        (Trigger.COMMAND, Trigger.EVENT, Trigger.COMMAND),
        (Trigger.COMMAND, Trigger.REPLAY, Trigger.REPLAY),
        (Trigger.OVERRIDE, Trigger.COMMAND, Trigger.OVERRIDE),
        (Trigger.OVERRIDE, Trigger.REPLAY, Trigger.OVERRIDE),
        (Trigger.COMMAND, Trigger.OVERRIDE, Trigger.OVERRIDE),
    ],
)
async def test_what_a_person_asked_for_is_not_forgotten(
    queue: TaskQueue, old: Trigger, new: Trigger, joined: Trigger
) -> None:
    """A trigger that revives a parked digest outlives those that do not, and one that allows a downgrade all others."""
    await queue.enqueue([MONITORING], trigger=old, now=NOW)
    await queue.enqueue([MONITORING], trigger=new, now=NOW)
    assert (await only_task(queue)).trigger is joined


@pytest.mark.parametrize("old", Trigger)
@pytest.mark.parametrize("new", Trigger)
async def test_a_task_that_comes_back_joins_by_the_same_ranks(queue: TaskQueue, old: Trigger, new: Trigger) -> None:
    """A first sync with --allow-downgrade that fails is not made an ordinary one by the second that waits for it."""
    await queue.enqueue([MONITORING], trigger=old, now=NOW)
    lease = await taken(queue)
    await queue.enqueue([MONITORING], trigger=new, now=NOW)
    await queue.retry(lease, due=NOW, error="unreachable")
    assert (await only_task(queue)).trigger is (new if new.rank >= old.rank else old)


def test_ranks_are_those_that_stand_in_files_of_earlier_versions() -> None:
    """Which stored 1 for what a person asked for, and 0 for the rest: a task that waits is not overtaken by less."""
    assert [trigger for trigger in Trigger if trigger.rank > 0] == [trigger for trigger in Trigger if trigger.revives]
    assert [trigger for trigger in Trigger if trigger.rank > 1] == [Trigger.OVERRIDE]
    assert Trigger.POLL.rank < Trigger.EVENT.rank == 0


async def test_an_event_joins_by_the_same_rules(queue: TaskQueue) -> None:
    """The hot path has a statement of its own kind, and no rules of its own."""
    await queue.enqueue([MONITORING], trigger=Trigger.REPLAY, now=NOW, due=NOW + 50, force=True)
    await queue.enqueue([SECURITY], trigger=Trigger.POLL, now=NOW, due=NOW + 50)
    await queue.ingest(intake(event(MONITORING), event(SECURITY)), now=NOW + 10)
    first, second = await queue.tasks()
    assert (first.trigger, first.due, first.force, first.created) == (Trigger.REPLAY, NOW + 10, True, NOW)
    assert (second.trigger, second.due, second.force, second.created) == (Trigger.EVENT, NOW + 10, False, NOW)


async def test_force_stays(queue: TaskQueue) -> None:
    """A later wish without force does not take it away."""
    await queue.enqueue([MONITORING], trigger=Trigger.COMMAND, now=NOW)
    await queue.enqueue([MONITORING], trigger=Trigger.COMMAND, now=NOW, force=True)
    assert (await only_task(queue)).force
    await queue.enqueue([MONITORING], trigger=Trigger.COMMAND, now=NOW)
    assert (await only_task(queue)).force


async def test_a_new_event_starts_the_looks_anew(queue: TaskQueue) -> None:
    """Its tag may not be visible yet, whatever the looks after an earlier event found."""
    await queue.look_again(await leased(queue), due=NOW + 1)
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW)
    assert (await only_task(queue)).looks == 1
    for _ in range(2):  # the second finds an event's task that is due already
        await queue.ingest(intake(event()), now=NOW)
        assert (await only_task(queue)).looks == 0
        await queue.look_again(await taken(queue), due=NOW)


async def test_repositories_are_known_from_events_and_wishes(queue: TaskQueue) -> None:
    """Every one, also after its task is done; everything is not a repository."""
    await queue.ingest(intake(event(SECURITY)), now=NOW)
    await queue.enqueue([MONITORING, EVERYTHING], trigger=Trigger.POLL, now=NOW)
    while (lease := await queue.lease(now=NOW, seconds=1)) is not None:
        await queue.complete(lease, unpark=False)
    assert await queue.known_repositories() == [MONITORING, SECURITY]


# lease


async def test_the_longest_due_is_leased_first_and_nothing_early(queue: TaskQueue) -> None:
    """By due time, and in the order of arrival where that is the same."""
    await queue.enqueue(["addons/late"], trigger=Trigger.POLL, now=NOW, due=NOW + 10)
    await queue.enqueue(["addons/soon"], trigger=Trigger.POLL, now=NOW, due=NOW + 9.5)
    await queue.enqueue([SECURITY], trigger=Trigger.POLL, now=NOW)
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW)
    assert [(await taken(queue)).task.repository for _ in range(2)] == [SECURITY, MONITORING]
    assert await queue.lease(now=NOW + 9, seconds=60) is None
    assert [(await taken(queue, now=NOW + 10)).task.repository for _ in range(2)] == ["addons/soon", "addons/late"]


async def test_a_lease_says_what_was_leased_and_how_long(queue: TaskQueue) -> None:
    """The worker needs no second look at the list."""
    await queue.enqueue([MONITORING], trigger=Trigger.COMMAND, now=NOW, force=True)
    lease = await taken(queue, now=NOW + 1, seconds=30)
    assert lease.until == NOW + 31
    assert lease.task == await only_task(queue)
    assert (lease.task.state, lease.task.force, lease.task.trigger) == (State.LEASED, True, Trigger.COMMAND)


async def test_only_restricts_the_choice(queue: TaskQueue) -> None:
    """A command that syncs one addon leaves the others to the worker."""
    await queue.enqueue([MONITORING, SECURITY], trigger=Trigger.POLL, now=NOW)
    lease = await queue.lease(now=NOW, seconds=60, only=[SECURITY])
    assert lease is not None
    assert lease.task.repository == SECURITY
    assert await queue.lease(now=NOW, seconds=60, only=[]) is None


async def test_a_push_during_a_sync_leaves_exactly_one_task_waiting(queue: TaskQueue) -> None:
    """Not none and not ten; it waits until the running sync is done."""
    lease = await leased(queue)
    for number in range(10):
        await queue.ingest(intake(event(event_id=str(number))), now=NOW + number)
    assert await states(queue) == [(MONITORING, State.LEASED), (MONITORING, State.QUEUED)]
    assert await queue.lease(now=NOW + 60, seconds=60) is None
    await queue.complete(lease, unpark=False)
    assert (await taken(queue)).task.trigger is Trigger.EVENT


async def test_of_concurrent_workers_one_gets_the_task(queue: TaskQueue) -> None:
    """Leases of the same commit are distinct."""
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW)
    leases = await asyncio.gather(*[queue.lease(now=NOW, seconds=60) for _ in range(5)])
    assert len([lease for lease in leases if lease is not None]) == 1


# the states


async def test_every_transition_of_the_table_and_no_other(queue: TaskQueue) -> None:
    """What the literal table says is what the list does."""
    for (state, verb), after in TRANSITIONS.items():
        await bring_to(queue, state)
        await do(queue, verb, MONITORING)
        assert await states(queue) == ([] if after is None else [(MONITORING, after)]), (state, verb)
        await clear(queue)


@pytest.mark.parametrize("verb", ["complete", "retry", "look_again", "park", "give_back", "renew"])
async def test_a_lost_lease_cannot_report(queue: TaskQueue, verb: str) -> None:
    """It ran out, somebody else has the task: the late result changes nothing, and so does a second report."""
    lost = await leased(queue)
    assert await queue.expire(now=NOW + 60) == 1
    held = await taken(queue, now=NOW + 60)
    before = await queue.tasks()
    with pytest.raises(LeaseLost):
        await report(queue, verb, lost)
    assert await queue.tasks() == before
    await queue.complete(held, unpark=False)
    with pytest.raises(LeaseLost):
        await report(queue, verb, held)


async def test_a_lost_lease_does_not_take_its_neighbours_down(queue: TaskQueue) -> None:
    """They share a commit, not a fate."""
    lease = await leased(queue)
    await queue.complete(lease, unpark=False)
    lost, receipt, nothing = await asyncio.gather(
        queue.retry(lease, due=NOW, error="late"),
        queue.ingest(intake(event(SECURITY)), now=NOW),
        queue.enqueue(["addons/other"], trigger=Trigger.POLL, now=NOW),
        return_exceptions=True,
    )
    assert isinstance(lost, LeaseLost)
    assert not isinstance(receipt, BaseException)
    assert nothing is None
    assert await states(queue) == [("addons/other", State.QUEUED), (SECURITY, State.QUEUED)]


async def test_a_renewed_lease_does_not_run_out(queue: TaskQueue) -> None:
    """Long syncs keep their task."""
    renewed = await queue.renew(await leased(queue), until=NOW + 600)
    assert renewed.until == NOW + 600
    assert await queue.expire(now=NOW + 599) == 0
    await queue.complete(renewed, unpark=False)


async def test_a_lease_that_ran_out_and_was_not_taken_can_be_renewed(queue: TaskQueue) -> None:
    """Nobody else has it."""
    lease = await leased(queue)
    assert (await queue.renew(lease, until=NOW + 600)).token == lease.token


async def test_completing_keeps_or_removes_the_parked_one(queue: TaskQueue) -> None:
    """A new digest that installs settles the old trouble; a look that found nothing new does not."""
    for unpark, left in ((False, [(MONITORING, State.PARKED)]), (True, [])):
        await bring_to(queue, State.PARKED)
        await queue.complete(await leased(queue), unpark=unpark)
        assert await states(queue) == left
        await clear(queue)


async def test_a_failure_counts_and_waits(queue: TaskQueue) -> None:
    """One attempt more, the reason, the time."""
    for attempt in (1, 2):
        await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW)
        await queue.retry(await taken(queue), due=NOW + 30, error=f"failure {attempt}")
        task = await only_task(queue)
        assert (task.state, task.attempts, task.due, task.error) == (
            State.QUEUED,
            attempt,
            NOW + 30,
            f"failure {attempt}",
        )


async def test_a_failure_joins_a_task_queued_meanwhile(queue: TaskQueue) -> None:
    """The newer wish keeps its due time; attempts, reason, force and a person's wish are not lost."""
    await queue.enqueue([MONITORING], trigger=Trigger.COMMAND, now=NOW, force=True)
    lease = await taken(queue)
    await queue.ingest(intake(event()), now=NOW + 5)
    await queue.retry(lease, due=NOW + 300, error="unreachable")
    task = await only_task(queue)
    assert (task.due, task.attempts, task.error, task.force) == (NOW + 5, 1, "unreachable", True)
    assert (task.trigger, task.created) == (Trigger.COMMAND, NOW)


async def test_the_newer_trigger_holds_where_nobody_revives(queue: TaskQueue) -> None:
    """An event that came during a poll's look is what the next look is for."""
    lease = await leased(queue)
    await queue.ingest(intake(event()), now=NOW)
    await queue.retry(lease, due=NOW, error="unreachable")
    assert (await only_task(queue)).trigger is Trigger.EVENT


async def test_looking_again_counts_looks_and_not_failures(queue: TaskQueue) -> None:
    """Nothing failed: the tag is not visible yet."""
    await queue.look_again(await leased(queue), due=NOW + 2)
    task = await only_task(queue)
    assert (task.state, task.looks, task.attempts, task.due, task.error) == (State.QUEUED, 1, 0, NOW + 2, None)


async def test_looking_again_joins_a_task_queued_meanwhile(queue: TaskQueue) -> None:
    """Whose looks begin anew, and whose due time holds."""
    lease = await leased(queue)
    await queue.ingest(intake(event()), now=NOW + 5)
    await queue.look_again(lease, due=NOW)
    task = await only_task(queue)
    assert (task.looks, task.due) == (0, NOW + 5)


async def test_parking_keeps_digest_and_reason_and_replaces_the_older(queue: TaskQueue) -> None:
    """One parked task a repository: the newest trouble."""
    for digest in ("sha256:1", "sha256:2"):
        lease = await leased(queue)
        await queue.park(lease, digest=digest, error=f"bad {digest}", now=NOW + 7, kind="UnsafeArchive")
    task = await only_task(queue)
    assert (task.state, task.digest, task.error, task.due) == (State.PARKED, "sha256:2", "bad sha256:2", NOW + 7)
    assert (task.error_kind, task.attempts) == ("UnsafeArchive", 1)
    assert await queue.lease(now=NOW + 1000, seconds=1) is None


async def test_a_parked_addon_can_be_looked_at(queue: TaskQueue) -> None:
    """A parked digest blocks no new one."""
    await bring_to(queue, State.PARKED)
    await queue.ingest(intake(event()), now=NOW)
    assert await states(queue) == [(MONITORING, State.PARKED), (MONITORING, State.QUEUED)]
    assert (await taken(queue)).task.attempts == 0


async def test_a_task_given_back_is_as_it_was(queue: TaskQueue) -> None:
    """Stopping is no failure."""
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW, force=True)
    before = await only_task(queue)
    await queue.give_back(await taken(queue, now=NOW + 5))
    assert await only_task(queue) == before


async def test_a_task_given_back_joins_at_the_earlier_time(queue: TaskQueue) -> None:
    """It was due already."""
    lease = await leased(queue)
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW, due=NOW + 50)
    await queue.give_back(lease)
    assert (await only_task(queue)).due == NOW


async def test_recovery_queues_again_what_was_leased(queue: TaskQueue) -> None:
    """Whether the lease ran out or not; no attempt is counted, and the clock may have been set back."""
    await queue.enqueue([MONITORING, SECURITY], trigger=Trigger.POLL, now=NOW)
    await taken(queue)
    assert await queue.recover(now=NOW - 100) == 1
    first, second = await queue.tasks()
    assert (first.state, first.due, first.attempts) == (State.QUEUED, NOW - 100, 0)
    assert second.due == NOW
    assert await queue.recover(now=NOW) == 0


async def test_expiry_queues_again_only_what_ran_out(queue: TaskQueue) -> None:
    """A worker that hangs loses its task, another one does not."""
    await queue.enqueue([MONITORING, SECURITY], trigger=Trigger.POLL, now=NOW)
    short = await taken(queue, seconds=10)
    await taken(queue, seconds=100)
    assert await queue.expire(now=NOW + 9) == 0
    assert await queue.expire(now=NOW + 10) == 1
    assert (await taken(queue, now=NOW + 10)).task.repository == short.task.repository


async def test_discarding_forgets_parked_tasks_only(queue: TaskQueue) -> None:
    """Of the named repositories."""
    await bring_to(queue, State.PARKED)
    await queue.enqueue([MONITORING, SECURITY], trigger=Trigger.POLL, now=NOW)
    assert await queue.discard([SECURITY]) == 0
    assert await queue.discard([MONITORING, MONITORING, "addons/unknown"]) == 1
    assert await states(queue) == [(MONITORING, State.QUEUED), (SECURITY, State.QUEUED)]


# reading and waiting


async def test_tasks_are_listed_by_repository_and_state(queue: TaskQueue) -> None:
    """The same order each time, for people and for comparing."""
    await bring_to(queue, State.PARKED)
    await leased(queue)
    await queue.enqueue([SECURITY, MONITORING, EVERYTHING], trigger=Trigger.POLL, now=NOW)
    assert await states(queue) == [
        (EVERYTHING, State.QUEUED),
        (MONITORING, State.LEASED),
        (MONITORING, State.PARKED),
        (MONITORING, State.QUEUED),
        (SECURITY, State.QUEUED),
    ]


async def test_the_parked_task_of_a_repository_is_found(queue: TaskQueue) -> None:
    """And no other: a look knows the digest that cannot be installed."""
    assert await queue.parked(MONITORING) is None
    await bring_to(queue, State.PARKED)
    await queue.enqueue([MONITORING, SECURITY], trigger=Trigger.POLL, now=NOW)
    parked = await queue.parked(MONITORING)
    assert parked is not None
    assert (parked.state, parked.digest) == (State.PARKED, "sha256:0")
    assert await queue.parked(SECURITY) is None


async def test_next_due_counts_what_can_be_leased(queue: TaskQueue) -> None:
    """A task whose repository is leased wakes nobody; what is parked neither."""
    assert await queue.next_due() is None
    await bring_to(queue, State.PARKED)
    lease = await leased(queue)
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW)
    assert await queue.next_due() is None
    await queue.enqueue([SECURITY], trigger=Trigger.POLL, now=NOW, due=NOW + 20)
    assert await queue.next_due() == NOW + 20
    await queue.complete(lease, unpark=False)
    assert await queue.next_due() == NOW


@pytest.mark.parametrize("verb", ["complete", "retry", "look_again", "park", "give_back", "recover", "expire"])
async def test_waiting_ends_when_something_can_be_leased(queue: TaskQueue, verb: str) -> None:
    """Also when a repository is free again; nothing polls."""
    lease = await leased(queue)
    await queue.wait(0)
    waiting = asyncio.create_task(queue.wait(60))
    await asyncio.sleep(0)
    await report(queue, verb, lease)
    await asyncio.wait_for(waiting, 10)


async def test_waiting_ends_for_what_was_queued_since_the_last_call(queue: TaskQueue) -> None:
    """No wake-up is lost between a lease that found nothing and the wait."""
    await queue.ingest(intake(event()), now=NOW)
    await asyncio.wait_for(queue.wait(60), 10)
    await queue.enqueue([SECURITY], trigger=Trigger.POLL, now=NOW)
    await asyncio.wait_for(queue.wait(60), 10)


async def test_waiting_ends_after_its_time_and_not_for_a_lease(queue: TaskQueue) -> None:
    """Taking, keeping and finding nothing wake nobody: a worker that waits would spin."""
    lease = await leased(queue)
    await queue.wait(0)
    await queue.renew(lease, until=NOW + 100)
    await queue.lease(now=NOW, seconds=60)
    await queue.expire(now=NOW)
    waiting = asyncio.create_task(queue.wait(0.05))
    await asyncio.sleep(0)
    assert not waiting.done()
    await waiting


async def test_a_cancelled_wait_is_cancelled(queue: TaskQueue) -> None:
    """Stopping is not delayed."""
    waiting = asyncio.create_task(queue.wait(60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_closed_queue_says_so(queue: TaskQueue) -> None:
    """Instead of waiting for ever; closing twice is once."""
    await queue.close()
    await queue.close()
    with pytest.raises(QueueUnavailable, match="closed"):
        await queue.ingest(intake(event()), now=NOW)
    with pytest.raises(QueueUnavailable, match="closed"):
        await queue.tasks()
    with pytest.raises(QueueUnavailable, match="closed"):
        await queue.parked(MONITORING)


async def bring_to(queue: TaskQueue, state: State) -> None:
    """The only addon in ``state``."""
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW)
    if state is not State.QUEUED:
        lease = await taken(queue)
        if state is State.PARKED:
            await queue.park(lease, digest="sha256:0", error="bad", now=NOW)


async def do(queue: TaskQueue, verb: str, repository: str) -> None:
    """``verb`` of the table, for the task in the list."""
    if verb == "lease":
        await taken(queue)
    elif verb == "discard":
        await queue.discard([repository])
    else:
        await queue.recover(now=NOW)
        if verb != "recover":
            await report(queue, verb, await taken(queue))


async def report(queue: TaskQueue, verb: str, lease: Lease) -> None:
    """``verb`` as a worker says it."""
    match verb:
        case "complete":
            await queue.complete(lease, unpark=False)
        case "retry":
            await queue.retry(lease, due=NOW, error="late")
        case "look_again":
            await queue.look_again(lease, due=NOW)
        case "park":
            await queue.park(lease, digest=None, error="late", now=NOW)
        case "give_back":
            await queue.give_back(lease)
        case "renew":
            await queue.renew(lease, until=NOW + 1000)
        case "recover":
            await queue.recover(now=NOW)
        case "expire":
            await queue.expire(now=NOW + 1000)
        case _:
            raise AssertionError(verb)


async def clear(queue: TaskQueue) -> None:
    """An empty list."""
    await queue.recover(now=NOW)
    while (lease := await queue.lease(now=NOW + 10_000, seconds=60)) is not None:
        await queue.complete(lease, unpark=True)
    await queue.discard([task.repository for task in await queue.tasks()])
