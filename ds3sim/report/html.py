"""Pages: templates filled in, and figures inside them. No script, no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ds3sim.core.figure import DARK, LIGHT, Theme, data_uri, render


def rendered(package: str, template: str, **values: Any) -> str:
    """A template of a package filled in; it may extend those of this package. Text is escaped."""
    import jinja2

    loaders = [jinja2.PackageLoader(place, "templates") for place in (package, "ds3sim.report")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


@dataclass(frozen=True)
class Picture:
    """A figure on a page.

    Attributes:
        title, caption: above and below it.
        alt: what it shows, for who cannot see it.
        light, dark: addresses that hold it, for a light and a dark page.
        wide: as wide as the page.
    """

    title: str
    caption: str
    alt: str
    light: str
    dark: str
    wide: bool = False


def picture(draw: Callable[[Theme], Any], title: str, caption: str, alt: str = "", wide: bool = False) -> Picture:
    """A figure in light and dark; ``draw`` makes it in a theme."""
    light, dark = (data_uri(render(draw(theme), "svg")) for theme in (LIGHT, DARK))
    return Picture(title, caption, alt or caption, light, dark, wide)
