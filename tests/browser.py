"""Headless Chromium for tests of pages."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

INSTALL = "apt-get install -y chromium chromium-driver"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def _programs() -> tuple[str, str]:
    """Chromium and its driver. Without them a test is skipped; in CI (`CI=true`) it fails."""
    browser = os.environ.get("CHROME") or next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    if browser and driver:
        return browser, driver
    missing = "Chromium" if not browser else "chromedriver"
    message = f"{missing} not found; install it ({INSTALL}) or set CHROME to a browser"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def chromium(width: int = 1280, height: int = 900, dark: bool = False) -> Iterator:
    """A selenium driver with an empty profile and a viewport of width x height CSS pixels.

    The console's messages are in `driver.get_log("browser")`.
    """
    browser, chromedriver = _programs()
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        # With the driver's path given, selenium looks for nothing in the network.
        os.environ.setdefault("SE_OFFLINE", "true")
        driver = Chrome(options=options, service=Service(chromedriver))
        try:
            viewport(driver, width, height)
            if dark:
                scheme = {"name": "prefers-color-scheme", "value": "dark"}
                driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            yield driver
        finally:
            driver.quit()


def viewport(driver, width: int, height: int = 900) -> None:
    """Sets the size of the page as a reader's screen has it; windows cannot be this narrow."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def console_errors(driver) -> list[str]:
    """Messages of level SEVERE."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
