"""Takes the README's screenshots of the demo: `python -m tests.screenshots [FOLDER]`, docs/ by default."""

import asyncio
import sys
from pathlib import Path

from playwright.async_api import Page, ViewportSize

from tests.browser import chromium
from tests.processes import ROOT, demo_server

MAX_SIZE = 200_000  # bytes of each file
FORECAST_TIMEOUT = 120_000  # milliseconds
SCALE = 0.6  # shows more of the page, in a smaller file
VIEWPORT = ViewportSize(width=1920, height=940)


async def shoot(page: Page, path: Path) -> None:
    """Write a screenshot of the viewport. Raises ValueError when the file is too large for a README."""
    size = len(await page.screenshot(path=path))
    print(f"{path}: {size / 1000:.0f} KB")
    if size >= MAX_SIZE:
        raise ValueError(f"{path}: expected less than {MAX_SIZE} bytes, found {size}")


async def main(folder: Path) -> None:
    async with demo_server() as address, chromium() as browser:
        url = f"http://{address}"
        page = await browser.new_page(viewport=VIEWPORT, device_scale_factor=SCALE, locale="en-GB")
        await page.emulate_media(color_scheme="light")
        await page.goto(url)
        await page.wait_for_selector("#live[data-state=on]")
        await page.wait_for_selector("#next li", timeout=FORECAST_TIMEOUT)
        await shoot(page, folder / "overview.png")
        await page.emulate_media(color_scheme="dark")
        await page.get_by_role("link", name="media-uploads/uploads/", exact=True).first.click()
        await page.wait_for_selector("#chart")
        await page.wait_for_selector("#live[data-state=on]")
        await shoot(page, folder / "series.png")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"))
