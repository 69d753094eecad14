"""The program that builds overlays, where this machine has one."""

import functools
import json
import shutil
import subprocess


@functools.cache
def kubectl() -> str | None:
    """A `kubectl` whose kustomize knows components (3.7, kubectl 1.21); Debian 12 packages an older one."""
    program = shutil.which("kubectl")
    if program is None:
        return None
    version = subprocess.run([program, "version", "--client", "--output=json"], capture_output=True, check=False)
    client = json.loads(version.stdout or b"{}").get("clientVersion", {})
    minor = str(client.get("minor", "0")).rstrip("+")
    return program if minor.isdecimal() and int(minor) >= 21 else None
