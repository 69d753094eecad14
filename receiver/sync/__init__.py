"""From a task to a release in the catalogue.

Pure: ``plan`` (which layers go where), ``retry`` (what becomes of a failure), ``outcome`` (what a look came to),
``decision`` and ``story`` (why), ``status`` (where addons stand), ``remedy`` (what to do about it).

``ports``     what this room needs of registry, blobs and catalogue; adapters fulfil it and are never imported here
``syncer``    look, compare, plan, fetch, install: one addon
``fetch``     one blob, with retries
``survey``    look at all addons of the registry: the poll
``worker``    leases tasks, runs them side by side, reports; ``poller`` asks for a survey at every interval;
              ``uninterrupted``: whatever stops them, what was done is told; ``together``: all or none of several
``engine``    what people and programs may ask for, one way in for all; ``operations``: hold, roll back and the like
``replay``    recorded deliveries back into hints, ``replayed`` what was found; ``recollection`` those of the journal
``chronicle`` what was done, into the journal and out of it; ``views``: answers; ``unannounced``: missed pushes;
``documents`` and ``tally``: what programs read of them
``heard``     what senders had to say of late, taken or not; ``missed``: what a poll found that no event announced
"""
