"""A headless Chromium as a reader of reports: what it shows, asks for and complains about."""

import base64
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys

from clinhallu_gate.pipeline.printing import QUIET

#: A container's root has no user namespaces to build a sandbox from, and often 64 MiB in /dev/shm.
CONTAINED: Final = ("--no-sandbox", "--disable-dev-shm-usage")
#: A line of the console is there by then, whatever else the machine does.
_LATEST_S: Final = 30
RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@dataclass(frozen=True, slots=True)
class Look:
    """How a reader looks at a page."""

    width: int = 1600
    height: int = 1000
    dark: bool = False
    forced_colours: bool = False
    still: bool = False
    """Asks for reduced motion."""

    def __str__(self) -> str:
        words = ("dark" if self.dark else "light", "forced" if self.forced_colours else "")
        return "-".join(filter(None, (str(self.width), *words)))


#: The instances: a part of the page that is large, and has tests of its own.
CASES: Final = "section[aria-labelledby=cases]"
WIDE, NARROW = Look(), Look(width=400, height=800)
LOOKS: Final = (WIDE, NARROW, Look(dark=True), Look(width=400, height=800, dark=True))


class Screen:
    """One browser, which shows one page after another."""

    def __init__(self, browser: str, driver: str) -> None:
        options = ChromeOptions()
        options.binary_location = browser
        for argument in ("--headless=new", *QUIET, *CONTAINED):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # Both programs are named, so selenium looks for none, and downloads none.
        self.driver = Chrome(options=options, service=Service(executable_path=driver))
        self._said = 0

    def open(self, file: Path, look: Look = WIDE) -> None:
        """Show a file as this reader sees it, with empty logs, and wait until it has loaded."""
        # A page that is left takes its focus, scroll position and opened details along.
        self.driver.get("about:blank")
        self.look(look)
        self.complaints()
        self.requests()
        self.driver.get(file.resolve().as_uri())

    def look(self, look: Look) -> None:
        """Look at the same page in another way."""
        metrics = {"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": False}
        features = {
            "prefers-color-scheme": "dark" if look.dark else "light",
            "forced-colors": "active" if look.forced_colours else "none",
            "prefers-reduced-motion": "reduce" if look.still else "no-preference",
        }
        self.cdp("Emulation.setDeviceMetricsOverride", **metrics)
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": n, "value": v} for n, v in features.items()])

    def cdp(self, method: str, **parameters: object) -> Any:  # noqa: ANN401 - whatever the protocol answers
        """Ask the browser by its own protocol."""
        return self.driver.execute_cdp_cmd(method, parameters)

    def run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the script returns
        """Return what a script returns; it comes from outside, so the page's policy does not hold it up."""
        return self.driver.execute_script(script, *arguments)

    def complaints(self) -> list[str]:
        """Return, and forget, what the console says: errors, and what the page's policy refused.

        What was said may come late: a line of our own is the last one.
        """
        self._said += 1
        last = f"the end of what was said, {self._said}"
        self.run("console.error(arguments[0])", last)
        said: list[str] = []
        until = time.monotonic() + _LATEST_S
        while not any(last in message for message in said):
            assert time.monotonic() < until, "the console is silent"
            entries = self.driver.get_log("browser")
            said += [entry["message"] for entry in entries if entry["level"] in {"SEVERE", "WARNING"}]
        return [message for message in said if last not in message]

    def requests(self) -> list[str]:
        """Return, and forget, the addresses that the page has asked for.

        What it carries itself (``data:``) is no request, nor is what its own policy refused.
        """
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        refused = {told["requestId"] for told in _named("Network.loadingFailed", messages) if "blockedReason" in told}
        return [
            told["request"]["url"]
            for told in _named("Network.requestWillBeSent", messages)
            if told["requestId"] not in refused and not told["request"]["url"].startswith(("data:", "blob:"))
        ]

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def tab(self) -> None:
        """Go to the next control."""
        self.press(Keys.TAB)

    def picture(self, file: Path, *, whole: bool = False) -> Path:
        """Keep what is to be seen, or the whole page."""
        told = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(told["data"]))
        return file

    def printed(self) -> bytes:
        """Return the page as a PDF file of A4 pages."""
        # Printed before its first frames were drawn, one page in thirty ended with "Printing failed".
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        told = self.cdp("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
        return base64.b64decode(told["data"])

    def violations(self, axe: str, *, leaving_out: Sequence[str] = ()) -> list[str]:
        """Return what axe-core finds against the WCAG (A, AA, to 2.2) and good practice, one line per element."""
        self.driver.execute_script(f"if (!window.axe) {{ {axe} }}")
        found = self.driver.execute_async_script(_AUDIT, list(leaving_out), list(RULES))
        if isinstance(found, str):
            raise AssertionError(found)  # noqa: TRY004 - not a type of ours: what axe-core threw
        return [f"{rule['id']} ({rule['help']}): {node['html']}" for rule in found for node in rule["nodes"]]


def _named(method: str, messages: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (message["params"] for message in messages if message["method"] == method)


_AUDIT: Final = """
const [out, rules, done] = arguments;
axe.run({include: [["html"]], exclude: out.map(selector => [selector])},
        {runOnly: rules, resultTypes: ["violations"]})
   .then(found => done(found.violations), error => done(String(error)));
"""
