"""``Sync-Addons.ps1``, by which Jobs of older artifacts go on working.

Windows PowerShell is not at hand: the script is parsed by another grammar, and read as text. It has never been run.
"""

import re

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from receiver.cli.main import COMMANDS
from receiver.config import load
from tests.support.kustomize import DEPLOY

SCRIPT = (DEPLOY / "base/scripts/Sync-Addons.ps1").read_bytes()
TEXT = SCRIPT.decode("ascii")


def parsed(source: bytes) -> Node:
    return Parser(Language(tree_sitter_powershell.language())).parse(source).root_node


def nodes(root: Node, kind: str) -> list[Node]:
    found = [root] if root.type == kind else []
    return found + [node for child in root.children for node in nodes(child, kind)]


def test_it_is_powershell() -> None:
    """No part of it is an error to the grammar; one that is broken would be."""
    assert not parsed(SCRIPT).has_error
    assert parsed(SCRIPT.replace(b"if (-not $program) {", b"if (-not $program {")).has_error


def test_it_is_powershell_5_1() -> None:
    """What came with 6 and 7 is an error on a Windows Server: its operators, and any letter that is not ASCII."""
    code = re.sub(r"(?s)<#.*?#>|#[^\n]*", "", TEXT)
    for newer in ("??", "?.", "&&", "||", " ? ", "-Parallel", "$IsWindows", "ConvertFrom-Json -AsHashtable", "clean {"):
        assert newer not in code
    assert not SCRIPT.startswith(b"\xef\xbb\xbf")
    assert len(TEXT.splitlines()) < 80


def test_it_takes_every_parameter_that_jobs_give() -> None:
    """Those of the Jobs in the registries and of the poller; a parameter of a later one is told, and ends nothing."""
    names = {node.text for node in nodes(nodes(parsed(SCRIPT), "param_block")[0], "variable")}
    known = {b"$RegistryUrl", b"$K2sInstallDir", b"$OrasExe", b"$Insecure", b"$CheckDigest", b"$AddonName"}
    known.add(b"$ApplyIfEnabled")
    assert known <= names
    # Without the first, a value of a parameter that is not known would become the name of an addon.
    assert "[CmdletBinding(PositionalBinding = $false)]" in TEXT
    assert "ValueFromRemainingArguments = $true" in TEXT
    # Kubernetes gives texts: a switch or a bool would take no "true".
    assert not re.search(r"\[(switch|bool)\]", TEXT, re.IGNORECASE)


def test_values_are_handed_on_as_settings() -> None:
    """By their names in the environment, so that PowerShell quotes nothing; with what Jobs give, they are settings."""
    given = dict(re.findall(r"^\$env:(\w+) = \$(\w+)$", TEXT, re.MULTILINE))
    assert given == {"REGISTRY_URL": "RegistryUrl", "K2S_INSTALL_DIR": "K2sInstallDir", "INSECURE": "Insecure"}
    for word in ("true", "$true", "1", "false", "$false"):
        settings = load(
            flags={},
            environment={"REGISTRY_URL": "oci://k2s.registry.local:30500", "INSECURE": word, "K2S_INSTALL_DIR": "."},
            file=None,
        )
        assert settings.insecure == (word in {"true", "$true", "1"})


@pytest.mark.parametrize("word", re.findall(r"@\('(sync|poll)'\)", TEXT))
def test_what_it_calls_is_a_command(word: str) -> None:
    """And the flag is one of that command."""
    assert word in COMMANDS
    assert "'--check-digest'" in TEXT


def test_both_commands_are_called() -> None:
    """``poll`` for all that changed, ``sync`` for one and for all."""
    assert set(re.findall(r"@\('(sync|poll)'\)", TEXT)) == {"sync", "poll"}


def test_its_end_is_that_of_the_program() -> None:
    """The last statement; without it, PowerShell ends with 0 whatever happened. A missing program is told, with 2."""
    assert TEXT.rstrip().endswith("& $program @words\nexit $LASTEXITCODE")
    missing = TEXT[TEXT.index("if (-not $program)") :].partition("}")[0]
    assert "[ERROR]" in missing
    assert "is not installed" in missing
    assert "exit 2" in missing


def test_it_looks_where_the_archive_is_unpacked() -> None:
    """Below K2S_INSTALL_DIR only: a program of that name elsewhere on the PATH is never run."""
    assert "Join-Path $K2sInstallDir 'bin\\addon-sync'" in TEXT
    assert "'addon-sync.exe', 'Scripts\\addon-sync.exe'" in TEXT
    assert "Get-Command" not in TEXT
    assert "oras" not in TEXT.replace("$OrasExe", "")


@pytest.mark.parametrize("name", ["a b", "a;b", "$(x)", "a&b", 'a"b', "a\n", "--force", "A"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """By the pattern that stands in it; a name never becomes a flag."""
    [pattern] = (text.replace("\\z", "\\Z") for text in re.findall(r"-cnotmatch '([^']+)'", TEXT))  # .NET's letter
    assert re.match(pattern, name) is None
    assert re.match(pattern, "ingress-nginx")
    assert re.match(pattern, "")
