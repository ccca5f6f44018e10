"""What every page has to be: without what axe-core objects to, and no wider than the screen, in light and in dark."""

from itertools import product

SCHEMES, SCREENS = ("light", "dark"), ((1280, 800), (390, 844), (320, 640))


def problems(page) -> list[str]:
    """What is wrong with a page as it stands, in words."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page)
    wrong = [found.generate_report()] if found.violations_count else []
    if page.evaluate("document.scrollingElement.scrollWidth > innerWidth"):
        wrong.append("it is wider than the screen")
    return wrong


def problems_on_screens(browser, address: str) -> dict[str, list[str]]:
    """What is wrong with the page at an address, by scheme and width of the screen; empty where nothing is."""
    wrong = {}
    for scheme, (width, height) in product(SCHEMES, SCREENS):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.goto(address)
        if found := problems(page):
            wrong[f"{scheme}, {width} px"] = found
        page.close()
    return wrong
