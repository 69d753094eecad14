"""What the benchmarks push: text of random words, which packs about as well as YAML and scripts do; seeds fixed."""

import random
from collections.abc import Mapping
from pathlib import Path

from receiver.oci import media
from receiver.packaging.artifact import Artifact, Layer
from tests.support.addons import artifact

_WORDS = [
    "".join(random.Random(number).choices("abcdefghijklmnopqrstuvwxyz", k=3 + number % 7)) for number in range(4000)
]


def text(size: int, seed: int) -> bytes:
    """``size`` bytes of words."""
    chooser = random.Random(seed)
    block = " ".join(chooser.choices(_WORDS, k=size // 6 + 8)).encode()
    return block[:size].ljust(size, b"#")


def typical(scratch: Path, name: str, version: str) -> Artifact:
    """Four layers, 41 files (as the product's addons have on average) and 100 KB packed; its version is in a script."""
    return artifact(scratch, addon=name, version=version, tree=typical_tree(name, version))


def typical_tree(name: str, version: str) -> Mapping[str, bytes]:
    """The files of a typical addon, without its manifest."""
    seed = hash_of(name + version)
    return {
        "values.yaml": text(2_000, seed),
        "config/settings.yaml": text(1_000, seed + 1),
        "manifests/chart/chart.tgz": random.Random(seed).randbytes(40_000),
        **{
            f"manifests/part-{number // 10}/resource-{number:02}.yaml": text(3_500, seed + 10 + number)
            for number in range(30)
        },
        **{f"scripts/Step-{number}.ps1": text(4_000, seed + 100 + number) for number in range(4)},
        "Disable.ps1": text(3_000, seed + 2),
        "Enable.ps1": f"# {version}\n".encode() + text(3_000, seed + 3),
    }


def large(scratch: Path) -> Artifact:
    """512 MiB in 64 files, one layer."""
    block = text(1 << 20, 7)
    tree = {f"data-{number:02}.txt": bytes([65 + number % 26]) + block[1:] * 8 for number in range(64)}
    return artifact(scratch, addon="large", tree={name: content[: 8 << 20] for name, content in tree.items()})


def many(scratch: Path, count: int = 20_000) -> Artifact:
    """Small files, 200 a folder, one layer."""
    block = text(4_000_000, 11)
    tree = {
        f"part-{number // 200:03}/file-{number:05}.yaml": block[number * 97 % 3_000_000 :][:500]
        for number in range(count)
    }
    return artifact(scratch, addon="many", tree=tree)


def with_images(scratch: Path, size: int = 1 << 30) -> Artifact:
    """A typical addon with an image layer of ``size`` bytes."""
    images = scratch / "images.tar"
    chooser = random.Random(13)
    with images.open("wb") as file:
        for _ in range(size >> 22):
            file.write(chooser.randbytes(1 << 22))
    tree = {f"manifests/resource-{number}.yaml": text(3_000, number) for number in range(30)}
    layer = Layer(path=images, media_type=media.IMAGES_LINUX)
    return artifact(scratch, addon="imaged", tree={**tree, "Enable.ps1": text(2_000, 3)}, extra_layers=[layer])


def hash_of(name: str) -> int:
    """A number for ``name`` that is the same in every run."""
    return int.from_bytes(name.encode()[-6:], "big")
