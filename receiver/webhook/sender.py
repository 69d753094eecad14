"""What a row of the table of senders is, and the words for what it leaves out. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from receiver.webhook.event import Decoded
from receiver.webhook.proof import Proof


class Ignored(StrEnum):
    """Why an event concerns no addon. The set is closed, because the reasons are labels of a metric."""

    BLOB = "blob"
    PULL = "pull"
    MOUNT = "mount"
    SIGNATURE = "signature"
    OTHER_REPOSITORY = "other repository"
    OTHER_ACTION = "other action"
    OTHER_TYPE = "other type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One kind of sender: how it is recognised, how its deliveries are read, how it proves who it is.

    ``recognises`` and ``decode`` get the headers by lower-case name and the parsed JSON body; ``recognises`` must
    also do with a body of None, where the body cannot be parsed. ``decode`` gets the repository prefix as well and
    raises `Malformed` where nothing in the body can be read.
    """

    name: str
    headers: tuple[str, ...]
    """The headers that the two functions read, in lower case: only these are kept for replay."""
    recognises: Callable[[Mapping[str, str], object], bool]
    decode: Callable[[Mapping[str, str], object, str], Decoded]
    proofs: tuple[Proof, ...]
    """One of them is needed. Who can send a `Token` needs none on loopback, as long as none is configured."""
    aliases: tuple[str, ...] = ()
    """Other products that send the same; their credentials may be configured under these names."""
