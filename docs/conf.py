"""How Sphinx makes a site of this folder: ``./scripts/docs``. The pages are plain Markdown and read well without it."""

import posixpath
import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

from receiver import __version__

project = "addon-sync"
version = release = __version__
extensions = ["myst_parser"]
root_doc = "README"
nitpicky = True

myst_heading_anchors = 4  # as GitHub makes them, so that a link to a heading works at both places, and is checked here

html_theme = "furo"  # asks no other host for fonts or scripts: the site is read where there is no internet
html_title = f"addon-sync {release}"
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False

_OUTSIDE = re.compile(r"\]\((?=[^):]*\.md\))(?P<path>\.\.?/[^)]*)\)")
_HEADING_OR_LINK = re.compile(r"^## (?P<heading>.+)$|\]\((?P<page>(?!\.\./)[^)#:]+)\.md(?:#[^)]*)?\)", re.MULTILINE)


def brought_along(name: str, text: str) -> str:
    """Let links to Markdown outside this folder lead to a copy of the file, as links to other files do anyway."""

    def link(match: re.Match[str]) -> str:
        inside = not posixpath.normpath(posixpath.join(posixpath.dirname(name), match["path"])).startswith("..")
        return match[0] if inside else f"](path:{match['path']})"

    return _OUTSIDE.sub(link, text)


def navigation(text: str) -> str:
    """Turn the links of an overview page into tables of contents, one for each of its headings; as MyST Markdown."""
    chapters: dict[str, dict[str, None]] = {}
    chapter = chapters.setdefault("", {})
    for match in _HEADING_OR_LINK.finditer(text):
        if match["heading"]:
            chapter = chapters.setdefault(match["heading"], {})
        elif not any(match["page"] in pages for pages in chapters.values()):
            chapter[match["page"]] = None
    return "".join(_toctree(caption, pages) for caption, pages in chapters.items() if pages)


def _toctree(caption: str, pages: dict[str, None]) -> str:
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "```{toctree}", *options, "", *pages, "```", ""])


def _prepare(_: Sphinx, name: str, content: list[str]) -> None:
    content[0] = brought_along(name, content[0])
    # A page that no README lists is in no table of contents: Sphinx warns of it, and a warning is an error.
    if name.rpartition("/")[2] == "README":
        content[0] += navigation(content[0])


def _add_index(app: Sphinx, failure: Exception | None) -> None:
    if failure is None and app.builder.name == "html":
        shutil.copyfile(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("source-read", _prepare)
    app.connect("build-finished", _add_index)
    return {"parallel_read_safe": True}
