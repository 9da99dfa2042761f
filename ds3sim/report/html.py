"""Pages: templates filled in, and figures inside them. No script, no network."""

from __future__ import annotations

from collections.abc import Callable
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


def picture(draw: Callable[[Theme], Any], title: str, caption: str, alt: str | None = None) -> dict[str, str]:
    """A figure for a page, in light and dark; ``draw`` makes it in a theme, ``alt`` says it to who cannot see it."""
    light, dark = (data_uri(render(draw(theme), "svg")) for theme in (LIGHT, DARK))
    return {"title": title, "caption": caption, "alt": alt or caption, "light": light, "dark": dark}
