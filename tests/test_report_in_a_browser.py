import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from pipeline.config import SceneSettings
from pipeline.quality import verify
from pipeline.report import with_report
from pipeline.scenes import with_scenes
from pipeline.seeds import Seed
from pipeline.store import Source, Version, sources_json, with_file
from tests.golden_content import golden_samples, golden_seeds, golden_version

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium with chromedriver is found here to show the report in"
)

SCRIPT = '<script>document.title="x"</script>'
IMAGE = "<img src=x onerror=\"document.title='x'\">"
BREAKOUT = "</p></details><svg onload=\"document.title='x'\">"
HIDING = "<style>body{display:none}</style>"
TEMPLATE = "{{7*7}} {% raw %} ${7*7}"
OVERRIDE = "\u202eekil sdaer siht\u2066 and this"  # right to left from here on, and never taken back
PAYLOADS = (SCRIPT, IMAGE, BREAKOUT, HIDING, TEMPLATE, OVERRIDE)
WIDTHS = (1280, 400)


def hostile(seed: Seed) -> Seed:
    """A seed whose texts would be markup, a template or a change of direction, were they not text."""
    bridges = {domain: f"{text} {BREAKOUT} {HIDING}" for domain, text in (seed.bridges or {}).items()}
    return seed.model_copy(
        update={
            "name": f"{seed.name} {SCRIPT}",
            "who": f"{IMAGE} {seed.who}",
            "life": f"{seed.life} {TEMPLATE} {OVERRIDE}",
            "bridges": bridges,
            "limits": (*seed.limits, " ".join(PAYLOADS), "W" * 300),
        }
    )


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    seeds = [hostile(seed) for seed in golden_seeds()]
    made = golden_version(tmp_path_factory.mktemp("hostile"), golden_samples(), seeds)
    file = f"mine/{IMAGE}{OVERRIDE}{'x' * 200}.jsonl"
    told = Source(kind="seeds", file=file, records=2, sha256="0" * 64, rejected={f"{SCRIPT}{HIDING}": 3})
    made = with_file(made, "sources.json", sources_json([told]))
    faults, quality = verify(made)
    assert faults == []
    assert quality is not None
    return with_report(made, quality)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    profile = tmp_path_factory.mktemp("chromium")
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", f"user-data-dir={profile}"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def opened(chromium: webdriver.Chrome, version: Version) -> webdriver.Chrome:
    """The report with all that is folded laid open."""
    chromium.get((version.folder / "report.html").as_uri())
    chromium.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
    return chromium


def test_no_text_of_a_seed_runs_or_becomes_an_element(opened: webdriver.Chrome, version: Version) -> None:
    assert opened.title == f"Persona Matrix {version.manifest.name}"
    found = opened.execute_script(
        """
        const all = [...document.querySelectorAll('*')];
        return {
          foreign: document.querySelectorAll('script, img, iframe, object, link, base, form').length,
          styles: document.querySelectorAll('style').length,
          handlers: all.filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length,
          inside: document.querySelectorAll('.scene *, bdi *').length,
          display: getComputedStyle(document.body).display,
          last: document.body.lastElementChild.tagName,
        }
        """
    )
    assert found == {"foreign": 0, "styles": 1, "handlers": 0, "inside": 0, "display": "block", "last": "DETAILS"}


def test_the_texts_of_a_seed_are_shown_letter_for_letter(opened: webdriver.Chrome, version: Version) -> None:
    texts = opened.execute_script("return [...document.querySelectorAll('.scene')].map(e => e.textContent)")
    plan, rows = version.plan(), version.scan()
    told = [
        with_scenes(rows, plan, version.seeds(), SceneSettings(frame=frame)).collect()["scene"].to_list()
        for frame in ("deploy", "scene")
    ]
    assert len(texts) == 40
    assert set(texts) <= {text for scenes in told for text in scenes}
    assert all(payload in text for text in texts for payload in (SCRIPT, IMAGE, OVERRIDE, TEMPLATE))
    sources = opened.execute_script("return [...document.querySelectorAll('bdi')].map(e => e.textContent)")
    assert version.sources()[0].file in sources
    assert f"{SCRIPT}{HIDING}" in opened.execute_script("return document.body.textContent")


# Where the first and the second letter of a text node stand.
LEFTS = """
    const lefts = (node, at) => [at, at + 1].map(place => {
        const range = document.createRange();
        range.setStart(node, place); range.setEnd(node, place + 1);
        return range.getBoundingClientRect().left;
    });
"""


def test_what_follows_a_text_that_turns_the_direction_still_reads_from_the_left(opened: webdriver.Chrome) -> None:
    pairs = opened.execute_script(
        LEFTS
        + """
        const found = [];
        for (const element of document.querySelectorAll('h2, h3, th, summary, summary code, td code')) {
            const text = [...element.childNodes].find(n => n.nodeType === 3 && n.textContent.trim().length > 3);
            if (text) found.push(lefts(text, text.textContent.search(/\\S/)));
        }
        for (const scene of document.querySelectorAll('.scene[lang=en]'))  // its paragraphs after the first
            for (const gap of scene.textContent.matchAll(/\\n\\n/g))
                found.push(lefts(scene.firstChild, gap.index + 2));
        return found;
        """
    )
    assert len(pairs) > 100
    assert all(first < second for first, second in pairs)
    ends = opened.execute_script(
        """
        const box = element => element.getBoundingClientRect();
        return [...document.querySelectorAll('summary')].filter(e => e.querySelector('bdi')).map(e =>
            [box(e.querySelector('bdi')).right, box(e.querySelector('code')).left])
        """
    )
    assert len(ends) == 40
    assert all(right <= left for right, left in ends)


def test_nothing_is_asked_of_any_network(opened: webdriver.Chrome, version: Version) -> None:
    asked = opened.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    pages = opened.execute_script("return performance.getEntriesByType('navigation').map(e => e.name)")
    assert asked == []
    assert pages == [(version.folder / "report.html").as_uri()]
    assert opened.get_log("browser") == []  # nothing was refused by the policy either


@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_is_no_wider_than_its_window(opened: webdriver.Chrome, width: int) -> None:
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    measured = opened.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert measured[0] == width
    assert measured[1] <= width


def luminance(color: str) -> float:
    """Of an opaque colour, as WCAG 2.2 defines it."""
    channels = [int(part) / 255 for part in re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", color).groups()]  # type: ignore[union-attr]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_light_and_dark_are_each_easy_to_read(opened: webdriver.Chrome) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        colors: dict[str, Any] = opened.execute_script(
            """
            const of = (e, name) => getComputedStyle(document.querySelector(e))[name];
            return {ground: of('body', 'backgroundColor'), ink: of('body', 'color'), dim: of('.dim', 'color'),
                    card: of('.card', 'backgroundColor'), scene: of('.scene', 'color'), drawn: of('svg text', 'fill')};
            """
        )
        assert contrast(colors["ground"], colors["ink"]) >= 7
        assert contrast(colors["card"], colors["scene"]) >= 7
        assert contrast(colors["card"], colors["drawn"]) >= 7
        assert contrast(colors["ground"], colors["dim"]) >= 4.5
        grounds[scheme] = luminance(colors["ground"])
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert grounds["dark"] < 0.1 < 0.8 < grounds["light"]
