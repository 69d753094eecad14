"""The command line: parse, call, print, exit. The home of click and rich.

- ``main``      the group, its errors and exit codes; commands are imported when they are called
- ``options``   the flags that come from the table of settings
- ``running``   run a request here, or through ``serve`` where that works on the same state folder
- ``progress``  bars on a terminal, plain lines elsewhere
- ``output``    tables that fit (`layout` decides how), JSON, ages; ``terminal`` says what may be sent colours
- ``command``   what our commands have in common in their help; ``completion`` what a shell may complete
- ``commands``  one module a command
"""

import gc

gc.set_threshold(100_000, 20, 20)
"""When Python looks for cycles, said before anything is imported. With its default, 700 new containers, it would look
hundreds of times in the imports of a start, and with every few notifications; what we make ends by counting
references."""

from receiver.cli.main import main  # noqa: E402 - see above

__all__ = ["main"]
