"""The documentation as a site: it builds without a warning, every link leads somewhere, and no other host is asked."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_BUILD = ("--builder", "html", "--fail-on-warning", "--keep-going", "--quiet", "--fresh-env", "--write-all")
"""As in ``scripts/docs``, which a test compares."""
_LOADED = re.compile(r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=\"([^\"]*)\"|<link\b[^>]*\bhref=\"([^\"]*)\"")
_STYLED = re.compile(r"(?:@import\s+|url\()[\"']?([^\"')\s]+)")


def build(source: Path, scratch: Path) -> subprocess.CompletedProcess[str]:
    """Make the site of ``source`` in ``scratch/site``."""
    command = [sys.executable, "-m", "sphinx", *_BUILD, "--doctree-dir", str(scratch / "doctrees")]
    return subprocess.run(
        [*command, str(source), str(scratch / "site")],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, which was built without a warning."""
    scratch = tmp_path_factory.mktemp("site")
    done = build(DOCS, scratch)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return scratch / "site"


def test_every_page_is_in_the_site_and_in_its_contents(site: Path) -> None:
    """A page that no README links to is a warning; one that is linked is in the list beside every page."""
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert {page for page in pages if not (site / page).is_file()} == set()
    contents = (site / "index.html").read_text(encoding="utf-8").partition('<div class="sidebar-tree">')[2]
    listed = {Path(href) for href in re.findall(r'href="([^"#]+\.html)"', contents.partition("</aside>")[0])}
    assert pages - listed - {Path("README.html")} == set()


def test_the_site_is_read_without_internet(site: Path) -> None:
    """Neither scripts nor styles nor pictures are loaded from another host."""
    html = [path.read_text(encoding="utf-8") for path in site.rglob("*.html")]
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    loaded = {one or other for text in html for one, other in _LOADED.findall(text)}
    loaded |= {found for text in styles for found in _STYLED.findall(text)}
    assert loaded
    assert {url for url in loaded if re.match(r"\w+:|//", url) and not url.startswith("data:")} == set()


@pytest.mark.parametrize("guide", sorted((DOCS / "how-to").glob("*.md")), ids=lambda path: path.stem)
def test_a_guide_begins_with_what_it_is_for(guide: Path) -> None:
    """Whoever opens the wrong one sees it at once: a sentence, and no list, heading or command."""
    title, blank, first, *_ = guide.read_text(encoding="utf-8").splitlines()
    assert (title[:2], blank) == ("# ", "")
    assert first[:1].isalpha()


def test_the_command_builds_as_the_test_does() -> None:
    """What is green here is green there."""
    script = (ROOT / "scripts" / "docs").read_text(encoding="utf-8")
    assert all(option in script for option in _BUILD)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A documentation of two pages."""
    folder = tmp_path / "docs"
    folder.mkdir()
    shutil.copy(DOCS / "conf.py", folder)
    (folder / "README.md").write_text("# Title\n\n- [A page](page.md)\n", encoding="utf-8")
    (folder / "page.md").write_text("# A page\n\n## Here\n", encoding="utf-8")
    return folder


def test_a_small_documentation_builds(copy: Path, tmp_path: Path) -> None:
    """So that the next test fails for its reason only."""
    done = build(copy, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "text", "warning"),
    [
        ("page.md", "[x](missing.md)", "missing.md"),
        ("page.md", "[x](README.md#nowhere)", "nowhere"),
        ("page.md", "[x](#nowhere)", "nowhere"),
        ("page.md", "[x](../src/missing.py)", "missing.py"),
        ("page.md", "[x](../missing/README.md)", "missing/README.md"),
        ("page.md", "```yaml\na: [\n```\n```nothing\n```", "nothing"),
        ("other.md", "# Not linked anywhere", "other.md"),
    ],
)
def test_what_is_wrong_ends_the_build(copy: Path, tmp_path: Path, name: str, text: str, warning: str) -> None:
    """Links to pages, to headings, to files outside; and a page that nobody finds."""
    with (copy / name).open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")
    done = build(copy, tmp_path)
    assert done.returncode != 0
    assert warning in done.stderr
