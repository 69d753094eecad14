"""Another account of this machine, for what its rights do not allow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_NOBODY = 65534


@contextmanager
def another_account() -> Iterator[None]:
    """Act as one that owns nothing; what root makes, it may read where its mode says so."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can act as another account")
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
