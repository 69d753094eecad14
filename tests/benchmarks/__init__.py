"""The benchmarks behind ``./scripts/bench``: what users run today and what this project does, side by side in one run.

- ``__main__``   which benchmarks there are, and the table
- ``measure``    stopwatch, medians, processes and their memory
- ``yardstick``  the shell script that users run today
- ``artifacts``  what is pushed: typical, large, many files, with images
- ``delivery``   from push to installed, one and many
- ``intake``     notifications a second
- ``packing``    export and push, beside tar and skopeo
- ``cost``       what of that journal and metrics cost; ``without`` is the server that keeps and counts nothing
- ``replaying``  100,000 recorded events from a file
- ``answers``    what is known of a ``million`` entries, how soon
"""
