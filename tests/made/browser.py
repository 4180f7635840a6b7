"""Headless Chromium, driven through ChromeDriver by the W3C's WebDriver protocol.

Needs the programs ``chromium`` (or Chrome) and ``chromedriver``; of Python, nothing more than the
standard library.
"""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's id in the protocol."""

KEYS = {
    "Enter": "\ue007",
    "Tab": "\ue004",
    "Up": "\ue013",
    "Down": "\ue015",
    "Right": "\ue014",
    "Left": "\ue012",
}

LEGIBLE = 4.5
"""The least contrast of texts (WCAG 2.2, level AA)."""

# What is behind an element, colour-mix() and all, as it is painted.
_COLORS = """
const paint = color => {
  const context = new OffscreenCanvas(1, 1).getContext('2d');
  context.fillStyle = color; context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data];
};
return arguments[0].flatMap(selector => [...document.querySelectorAll(selector)].map(element => {
  let behind = element, color;
  do { color = paint(getComputedStyle(behind).backgroundColor); behind = behind.parentElement; }
  while (color[3] < 255 && behind);
  return [paint(getComputedStyle(element).color).slice(0, 3), color.slice(0, 3)];
}))"""


def _program(*names):
    for name in names:
        if path := shutil.which(name):
            return path
    lacking = f"this test needs {' or '.join(names)}; Debian: apt install chromium chromium-driver"
    # Where all tests must run, as in .ci/run, nothing is skipped.
    if os.environ.get("GENREFLOW_REQUIRE_BROWSER"):
        raise FileNotFoundError(lacking)
    pytest.skip(lacking)


class Browser:
    """One window."""

    def __init__(self, address, session):
        self._session = f"{address}/session/{session}"

    def _ask(self, method, command, body=None):
        return ask(method, f"{self._session}/{command}", body)

    def go(self, address):
        self._ask("POST", "url", {"url": address})

    def open(self, path, fragment=""):
        self.go(Path(path).resolve().as_uri() + fragment)

    def run(self, script, *values):
        return self._ask("POST", "execute/sync", {"script": script, "args": list(values)})

    def wait(self, script, *values):
        """Wait until a script returns something true, and return that."""
        for _ in range(200):
            if found := self.run(script, *values):
                return found
            time.sleep(0.05)
        raise AssertionError(f"never true: {script}")

    def find(self, selector):
        return self._ask("POST", "element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self._ask("POST", f"element/{self.find(selector)}/click", {})

    def type(self, selector, text):
        self._ask("POST", f"element/{self.find(selector)}/value", {"text": text})

    def press(self, *keys):
        """Press keys where the focus is."""
        actions = [
            {"type": kind, "value": KEYS[key]} for key in keys for kind in ("keyDown", "keyUp")
        ]
        self._ask("POST", "actions", {"actions": [{"type": "key", "id": "k", "actions": actions}]})

    def resize(self, width, height):
        """Set the size of the viewport, which a window can't have below 500 pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        self._chromium("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._chromium("Emulation.setEmulatedMedia", {"features": features})

    def _chromium(self, command, settings):
        self._ask("POST", "goog/cdp/execute", {"cmd": command, "params": settings})

    def colors(self, selectors):
        """Return the colours of the text of elements and of what is behind it."""
        return self.run(_COLORS, selectors)

    def contrasts(self, selectors):
        """Return the contrasts between these colours."""
        pairs = (sorted(map(_luminance, pair)) for pair in self.colors(selectors))
        return [(high + 0.05) / (low + 0.05) for low, high in pairs]

    def faults(self):
        """Return what axe-core finds that keeps people from using the page: rules and places."""
        axe = files("axe_core_python") / "axe.min.js"
        found = self.run(
            f"{axe.read_text(encoding='utf-8')}; return axe.run({{resultTypes: ['violations']}})"
        )
        return [
            (one["id"], node["html"][:200], node["failureSummary"])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def is_light(self):
        return _luminance(self.colors(["body"])[0][1]) > 0.5

    def screenshot(self, path):
        Path(path).write_bytes(base64.b64decode(self._ask("GET", "screenshot")))

    def complaints(self):
        """Return what stands in the console since the last time."""
        return [entry["message"] for entry in self._ask("POST", "se/log", {"type": "browser"})]

    def requests(self):
        """Return the addresses that were asked for since the last time."""
        entries = self._ask("POST", "se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in entries]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]


def _luminance(color):
    """WCAG 2.2, relative luminance."""
    parts = [value / 255 for value in color]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ask(method, address, body=None):
    """Send one command and return its value."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        address, content, {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"]) from None


@contextmanager
def chromium(folder):
    """Start a browser whose profile and log lie in a folder, and end it."""
    log = Path(folder) / "chromedriver.log"
    driver = subprocess.Popen(
        [_program("chromedriver"), "--port=0"], stdout=log.open("w"), stderr=subprocess.STDOUT
    )
    try:
        address = _address(driver, log)
        session = ask(
            "POST", f"{address}/session", {"capabilities": {"alwaysMatch": _wish(folder)}}
        )
        browser = Browser(address, session["sessionId"])
        try:
            # The page that a new window shows is none of the tests' business.
            browser.go("about:blank")
            browser.requests()
            yield browser
        finally:
            ask("DELETE", f"{address}/session/{session['sessionId']}")
    finally:
        driver.terminate()
        driver.wait()


def _address(driver, log):
    """Wait for the line that names the port."""
    for _ in range(200):
        _, found, rest = log.read_text().partition("started successfully on port ")
        if found and "." in rest:
            return f"http://127.0.0.1:{rest.split('.')[0]}"
        assert driver.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"chromedriver doesn't start: {log.read_text()}")


def _wish(folder):
    return {
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        "goog:chromeOptions": {
            "binary": _program("chromium", "chromium-browser", "google-chrome"),
            "args": [
                "--headless=new",
                # As root, in containers and on CI machines there is no sandbox.
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--disable-background-networking",
                "--window-size=1200,900",
                f"--user-data-dir={Path(folder) / 'profile'}",
            ],
        },
    }
