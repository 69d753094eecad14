"""The command line: parse, call, print, exit. The home of click and rich.

- ``main``      the group, its errors and exit codes; commands are imported when they are called
- ``options``   the flags that come from the table of settings
- ``running``   run a request here, or through ``serve`` where that works on the same state folder
- ``progress``  bars on a terminal, plain lines elsewhere
- ``output``    tables and JSON
- ``commands``  one module a command
"""

from receiver.cli.main import main

__all__ = ["main"]
