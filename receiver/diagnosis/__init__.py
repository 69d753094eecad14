"""What stands in the way of an addon that does not show up: found, said in a sentence, with the remedy.

- ``finding``   `Finding`, its standing, and what many of them come to                                        pure
- ``folders``, ``network``, ``registry``, ``endpoint``, ``tasks``: from facts to findings                        pure
- ``settings``  the settings with where each came from, and what they say together
- ``probe``     the facts, each within seconds: what lies on the disk, who answers, what the file of the queue is worth
- ``snippet``   the configuration that a registry needs, for each sender; the texts are in ``senders``

Nothing here changes what it looks at. `receiver.cli.checkup` knows which check needs which.
"""
