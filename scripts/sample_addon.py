"""Pack the sample addon and push it: ``python -m scripts.sample_addon http://127.0.0.1:5000 v1.1.0``."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from receiver import __version__
from receiver.addon import parse_version
from receiver.errors import NotInRegistry, ReceiverError
from receiver.oci.reference import RegistryAddress, Repository, Tag
from receiver.packaging.artifact import build
from receiver.packaging.push import Pushed, push
from receiver.registry.auth import Credentials
from receiver.registry.client import RegistryClient

NAME = "hello"
FOLDER = Path(__file__).parent / "sample" / "addons" / NAME


def deliver(
    address: RegistryAddress,
    *,
    prefix: str,
    version: str,
    credentials: Credentials | None = None,
    scratch: Path | None = None,
) -> Pushed:
    """Pack the addon as ``version``, exported now, and push it; ``scratch`` is where packing takes place.

    Raises:
        ReceiverError: it could not be packed or pushed.
    """
    with tempfile.TemporaryDirectory(prefix="addon-sync-pack-", dir=scratch) as packed:
        artifact = build(
            FOLDER,
            name=NAME,
            implementation=NAME,
            version=version,
            created=datetime.now(UTC),
            scratch=Path(packed),
            description="A sample addon",
        )
        repository = Repository.parse(f"{prefix}{NAME}")

        async def pushed() -> Pushed:
            async with _client(address, credentials) as client:
                return await push(artifact, client.uploads(), repository, [Tag.parse(version)])

        return asyncio.run(pushed())


def tags(address: RegistryAddress, *, prefix: str, credentials: Credentials | None = None) -> Sequence[str]:
    """What of the addon is in the registry already.

    Raises:
        ReceiverError: the registry does not tell.
    """

    async def listed() -> Sequence[str]:
        async with _client(address, credentials) as client:
            try:
                return await client.tags(f"{prefix}{NAME}")
            except NotInRegistry:
                return []

    return asyncio.run(listed())


def next_version(there: Iterable[str]) -> str:
    """A version above all that are ``there``: the receiver wants the highest, and takes no lower one for a push."""
    versions = [version for tag in there if (version := parse_version(tag)) is not None]
    return f"v{max(versions).bump_minor()}" if versions else "v1.0.0"


def _client(address: RegistryAddress, credentials: Credentials | None) -> RegistryClient:
    return RegistryClient(address, credentials=lambda: credentials, user_agent=f"addon-sync/{__version__}")


def main(arguments: list[str]) -> int:
    """Push one version of the sample addon to a registry; 1 where that failed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.sample_addon", description=main.__doc__)
    parser.add_argument("registry", help="http://host[:port]")
    parser.add_argument("version", help="the tag, such as v1.1.0")
    parser.add_argument("--prefix", default="addons/", help="before the addon's name (addons/)")
    asked = parser.parse_args(arguments)
    try:
        address = RegistryAddress.parse(asked.registry, insecure=True)
        pushed = deliver(address, prefix=asked.prefix, version=asked.version)
    except ReceiverError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"pushed {asked.prefix}{NAME}:{asked.version} as {pushed.digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
