"""The page in a real browser, over a real receiver and a real registry: sign in, look, click, watch."""

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Site
from tests.support.addons import artifact, push_addon
from tests.support.browser import DESK, PHONE, Window, launched, window
from tests.support.docker_registry import free_port
from tests.support.system import Serving, wait_for

pytestmark = pytest.mark.registry
BROKEN = b"kind: [not a manifest"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


@pytest.fixture
def serving(site: Site) -> Iterator[Serving]:
    with site.serve() as running:
        yield running


def credential(serving: Serving) -> str:
    """As ``addon-sync page --show-credential`` prints it."""
    note = json.loads((serving.host.state / "engine.json").read_text(encoding="utf-8"))
    return str(note["token"])


def sign_in(found: Window, serving: Serving, path: str = "/") -> Page:
    page = found.page
    page.goto(serving.url + path)
    page.get_by_label("Credential").fill(credential(serving))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


def push(site: Site, scratch: Path, addon: str, version: str, manifest: bytes | None = None) -> str:
    packed = artifact(scratch, addon=addon, version=version, manifest=manifest)
    # Playwright keeps an event loop in this thread, and pushing needs one of its own.
    with ThreadPoolExecutor(1) as other:
        return str(other.submit(push_addon, site.registry.url, addon, packed).result())


def installed(site: Site, addon: str, digest: str) -> None:
    wait_for(f"{addon} at {digest}", lambda: site.host.digest(addon) == digest)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def told(page: Page, text: str) -> None:
    expect(page.locator("#notices")).to_contain_text(text)


def state(page: Page, addon: str, text: str) -> None:
    expect(page.locator(f"#row-{addon} .state")).to_have_text(text)


def test_an_operator_clicks_through_everything(site: Site, serving: Serving, browser: Browser, tmp_path: Path) -> None:
    """Sync, hold, release, rollback and replay do what they say, and each is told where it was asked for."""
    first = push(site, tmp_path, "monitoring", "v1.0.0")
    installed(site, "monitoring", first)
    second = push(site, tmp_path, "monitoring", "v1.1.0")
    installed(site, "monitoring", second)
    with window(browser, serving.url) as found:
        page = sign_in(found, serving)
        state(page, "monitoring", "current")
        press(page, "Sync monitoring")
        told(page, "v1.1.0 is installed already")
        press(page, "Hold monitoring")
        state(page, "monitoring", "held")
        press(page, "Release monitoring")
        state(page, "monitoring", "current")
        page.locator("#entries").get_by_role("button", name=re.compile("^Replay entry")).first.click()
        told(page, "1 events were fed in again")
        expect(page.locator("#entries .state", has_text="replayed").first).to_be_visible()

        page.get_by_role("link", name="monitoring").first.click()
        page.get_by_text("Roll back to v1.0.0…").click()
        press(page, "Roll back to v1.0.0")
        told(page, "rolled back to v1.0.0")
        assert site.host.digest("monitoring") == first
        expect(page.locator("#head .state")).to_have_text("held")
        press(page, "Release monitoring")
        expect(page.locator("#head .state")).to_have_text("current")
        installed(site, "monitoring", second)
        page.get_by_label("Reason for the hold").fill("audit until Friday")
        press(page, "Hold monitoring")
        expect(page.locator("#facts")).to_contain_text("audit until Friday")
        found.shoot("story")
    assert json.loads(site.host.run("status", "--output", "json").stdout)[0]["hold"]["reason"] == "audit until Friday"


def test_what_is_parked_is_tried_again_by_a_button(
    site: Site, serving: Serving, browser: Browser, tmp_path: Path
) -> None:
    """The page says what is wrong and what to do, and what came of the retry."""
    push(site, tmp_path, "broken", "v1.0.0", manifest=BROKEN)
    with window(browser, serving.url) as found:
        page = sign_in(found, serving)
        state(page, "broken", "parked")
        row = page.locator("#row-broken")
        expect(row).to_contain_text("addon.manifest.yaml")
        expect(row).to_contain_text("push a corrected artifact")
        before = page.locator("#entries .state", has_text="failed").count()
        press(page, "Retry broken")
        expect(page.locator("#notices .bad")).to_contain_text("addon.manifest.yaml")
        expect(page.locator("#entries .state", has_text="failed")).to_have_count(before + 1)
        state(page, "broken", "parked")


def test_a_push_is_seen_without_a_reload(site: Site, serving: Serving, browser: Browser, tmp_path: Path) -> None:
    """On the overview and in the story; what somebody is about to confirm stays open meanwhile."""
    installed(site, "monitoring", push(site, tmp_path, "monitoring", "v1.0.0"))
    installed(site, "monitoring", push(site, tmp_path, "monitoring", "v1.1.0"))
    with window(browser, serving.url) as found, window(browser, serving.url) as other:
        page = sign_in(found, serving)
        story = sign_in(other, serving, "/addon/monitoring")
        for each in (page, story):
            expect(each.locator("#live")).to_have_text("live")
            each.evaluate("window.stayed = true")
        story.get_by_text("Roll back to v1.0.0…").click()
        page.get_by_role("link", name="monitoring").first.focus()
        third = push(site, tmp_path, "monitoring", "v1.2.0")
        installed(site, "monitoring", third)
        expect(page.locator("#row-monitoring .tag")).to_have_text("v1.2.0")
        expect(page.locator("#said")).to_contain_text("monitoring")
        assert page.evaluate("document.activeElement.closest('tr').id") == "row-monitoring"
        expect(story.locator("#facts")).to_contain_text("v1.2.0")
        expect(story.get_by_role("button", name="Roll back to v1.0.0", exact=True)).to_be_visible()
        assert [each.evaluate("window.stayed") for each in (page, story)] == [True, True]


def test_it_works_without_scripts(site: Site, serving: Serving, browser: Browser, tmp_path: Path) -> None:
    """Forms and links do all of it; the answer says what came of it."""
    for addon in ("monitoring", "logging"):
        installed(site, addon, push(site, tmp_path, addon, "v1.0.0"))
    with window(browser, serving.url, scripts=False) as found:
        page = sign_in(found, serving)
        press(page, "Hold monitoring")
        told(page, "addons/monitoring: held at v1.0.0")
        state(page, "monitoring", "held")
        page.get_by_label("Show only addons with").fill("held")
        press(page, "Filter")
        expect(page.locator("#rows tr")).to_have_count(1)
        press(page, "Release monitoring")
        assert page.url.endswith("/?q=held")
        told(page, "released")
        page.get_by_role("link", name="Journal").click()
        expect(page.locator("#entries li", has_text="released")).to_contain_text("monitoring")
        press(page, "Sign out")
        page.goto(serving.url + "/addon/monitoring")
        expect(page.get_by_label("Credential")).to_be_visible()


def test_a_wrong_credential_is_refused_in_words(serving: Serving, browser: Browser) -> None:
    """Status 401, which counts against the address as everywhere; nothing of it is repeated."""
    with window(browser, serving.url) as found:
        page = found.page
        page.goto(serving.url + "/addon/monitoring")
        page.get_by_label("Credential").fill("guessed")
        with page.expect_response(f"{serving.url}/login") as answered:
            press(page, "Sign in")
        assert answered.value.status == 401
        expect(page.get_by_role("alert")).to_have_text("This is not a valid credential.")
        assert "guessed" not in page.content()
        # The browser itself reports the answer to the console; nothing else may be there.
        assert all("401" in complaint for complaint in found.complaints)
        found.complaints.clear()
        page.get_by_label("Credential").fill(credential(serving))
        press(page, "Sign in")
        page.wait_for_url(serving.url + "/addon/monitoring")
        assert all("404" in complaint for complaint in found.complaints)
        found.complaints.clear()


@pytest.fixture
def crowd(site: Site, tmp_path: Path) -> Iterator[Serving]:
    """200 addons, one of them broken and one held."""
    with site.serve() as running:
        for number in range(197):
            push(site, tmp_path, f"addon-{number:03}", "v1.0.0")
        push(site, tmp_path, "zz-broken", "v1.0.0", manifest=BROKEN)
        for name in ("held-one", "monitoring"):
            push(site, tmp_path, name, "v1.4.2")
        wait_for(
            "199 addons", lambda: len(list((site.host.addons / ".addon-sync-digests").iterdir())) == 199, seconds=90
        )
        assert site.host.run("hold", "held-one", "--reason", "audit until Friday").returncode == 0
        yield running


def test_two_hundred_addons_are_a_page_to_work_with(crowd: Serving, browser: Browser) -> None:
    """What needs somebody comes first, a word finds one, and a phone shows it."""
    with window(browser, crowd.url) as found:
        page = sign_in(found, crowd)
        rows = page.locator("#rows tr:visible")
        expect(rows).to_have_count(200)
        expect(rows.first).to_contain_text("zz-broken")
        found.shoot("crowd")
        page.keyboard.press("/")
        page.keyboard.type("held")
        expect(rows).to_have_count(1)
        assert page.url.endswith("/?q=held")
        page.reload()
        expect(rows).to_have_count(1)
        page.get_by_role("link", name="all 200").click()
        expect(rows).to_have_count(200)
        page.get_by_role("link", name="parked 1").click()
        expect(rows).to_have_count(1)
    with window(browser, crowd.url, size=PHONE, scheme="dark") as found:
        page = sign_in(found, crowd)
        expect(page.locator("#rows tr:visible")).to_have_count(200)
        assert found.overflow() <= 0
        found.shoot("crowd-phone")
        page.get_by_role("link", name="Latest").click()
        expect(page.get_by_role("heading", name="Latest")).to_be_in_viewport()


@pytest.fixture
def mixed(site: Site, serving: Serving, tmp_path: Path) -> Serving:
    """An addon of each kind that stays as it is: broken, held after a rollback, current."""
    push(site, tmp_path, "broken", "v1.0.0", manifest=BROKEN)
    for version in ("v1.0.0", "v1.1.0"):
        installed(site, "monitoring", push(site, tmp_path, "monitoring", version))
    installed(site, "logging", push(site, tmp_path, "logging", "v2.0.0-rc.1"))
    assert site.host.run("rollback", "monitoring").returncode == 0
    serving.wait_for_line("addons/broken: .*not tried again")
    return serving


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_everybody_can_use_it(
    mixed: Serving, browser: Browser, scheme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    """Axe finds nothing serious in any view, and nothing is wider than its window."""
    kind = f"{scheme}-{'desk' if size == DESK else 'phone'}"
    with window(browser, mixed.url, size=size, scheme=scheme) as found:
        page = found.page
        page.goto(mixed.url)
        found.shoot(f"login-{kind}")
        assert (found.violations(), found.overflow() <= 0) == ([], True)
        sign_in(found, mixed)
        for path in ("/", "/addon/monitoring", "/addon/broken", "/journal", "/journal?kind=syncs"):
            page.goto(mixed.url + path)
            for summary in page.locator("summary").all():
                summary.click()
            found.shoot(f"{path.strip('/').replace('/', '-').partition('?')[0] or 'overview'}-{kind}")
            assert (path, found.violations(), found.overflow() <= 0) == (path, [], True)
        page.goto(mixed.url)
        press(page, "Hold logging")
        told(page, "held")
        assert found.violations() == []


def test_it_is_used_by_keyboard_alone(mixed: Serving, browser: Browser) -> None:
    """The focus is where one looks for it: on the button, or on the one that took its place."""
    with window(browser, mixed.url) as found:
        page = sign_in(found, mixed)
        page.keyboard.press("/")
        page.keyboard.type("logging")
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "do-hold-logging":
                break
        page.keyboard.press("Enter")
        state(page, "logging", "held")
        expect(page.locator("#row-logging :focus")).to_have_count(1)
        page.locator("#do-release-logging").focus()
        page.keyboard.press("Space")
        state(page, "logging", "current")
        expect(page.locator("#row-logging :focus")).to_have_count(1)


def test_the_command_says_where_and_how(site: Site, serving: Serving, browser: Browser) -> None:
    """The address opens, the credential is only printed on request, and it is the right one."""
    told = site.host.run("page")
    assert told.returncode == 0
    assert told.stdout.splitlines()[0] == f"{serving.url}/"
    assert credential(serving) not in told.stdout
    assert str(site.host.state / "engine.json") in told.stdout
    shown = site.host.json("page", "--show-credential")
    assert (shown["url"], shown["word"]) == (f"{serving.url}/", credential(serving))
    with window(browser, serving.url) as found:
        found.page.goto(shown["url"])
        found.page.get_by_label("Credential").fill(shown["word"])
        press(found.page, "Sign in")
        expect(found.page.locator("#empty")).to_contain_text("Nothing is installed, wanted or queued yet")


def test_the_receiver_stops_at_once_with_pages_open(serving: Serving, browser: Browser) -> None:
    """And the page says that it is not live any more."""
    with window(browser, serving.url) as found:
        page = sign_in(found, serving)
        expect(page.locator("#live")).to_have_text("live")
        started = time.monotonic()
        assert serving.stop() == 0
        assert time.monotonic() - started < 8
        expect(page.locator("#live")).to_have_text("not live")
        found.complaints.clear()  # the browser reports that nobody listens


def test_who_others_can_reach_has_no_page(quiet_site: Site) -> None:
    """Until it has a credential that is meant for it; the command says so."""
    port = free_port()
    with quiet_site.host.serve(ADDON_SYNC_LISTEN=f"0.0.0.0:{port}") as running:
        running.url = f"http://127.0.0.1:{port}"
        assert running.get("/")[0] == 404
        refused = quiet_site.host.run("page")
    assert refused.returncode == 2
    assert "ADDON_SYNC_API_TOKEN" in refused.stdout
    nobody = quiet_site.host.run("page")
    assert (nobody.returncode, "start 'addon-sync serve'" in nobody.stdout) == (2, True)
