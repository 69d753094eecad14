"""``python -m receiver`` is the command ``addon-sync``."""

from receiver.cli import main

if __name__ == "__main__":
    main()
