"""Writes docs/api from the docstrings of ds3sim's public names, and the README's reference of config keys.

    .venv/bin/python scripts/api_reference.py

tests/test_docs.py holds both to what this script would write.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import ds3sim

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "api"
PAGES = {
    "tasks": ("Graphs, strategies and tasks", ("graph", "task", "theory")),
    "engines": ("Engines and laws", ("engine", "core")),
    "studies": ("Studies, results and stores", ("config", "study", "results", "store", "validate", "allocate")),
    "logs": ("Logs, fits and plans", ("fit",)),
    "reports": ("Reports and figures", ("report", "reproduce")),
}
"""File name -> title and the folders of ds3sim whose public names are on the page."""
HEAD = "<!-- Written by scripts/api_reference.py from the docstrings. -->\n"


def names_of(page: str) -> list[str]:
    """The public names of a page, in the order of ``ds3sim.__all__``."""
    folders = PAGES[page][1]
    return [name for name in ds3sim.__all__ if name != "__version__" and home(name).split(".")[1] in folders]


def home(name: str) -> str:
    """The module that a public name comes from."""
    return getattr(ds3sim, name).__module__


def members(kind: type) -> dict[str, object]:
    """Public methods and properties with a docstring, in the order of the source; inherited ones of ds3sim last."""
    found: dict[str, object] = {}
    for base in kind.__mro__:
        if base.__module__.startswith("ds3sim"):
            for name, value in vars(base).items():
                if not name.startswith("_") and inspect.getdoc(getattr(kind, name)) and callable_or_property(value):
                    found.setdefault(name, value)
    return found


def callable_or_property(value: object) -> bool:
    return isinstance(value, property | classmethod | staticmethod) or inspect.isfunction(value)


def signature(name: str, value: object) -> str:
    """A call as one writes it, without the module names of types."""
    if isinstance(value, property):
        return name
    function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    try:
        made = inspect.signature(function)
    except ValueError:
        return name
    drop = 1 if inspect.isfunction(function) and next(iter(made.parameters), "") in ("self", "cls") else 0
    made = made.replace(parameters=list(made.parameters.values())[drop:])
    text = f"{name}{made}"
    text = re.sub(r"<factory>|<object object at \w+>", "...", text).replace("'", "") if "'" in str(made) else text
    return re.sub(r"\b(?:ds3sim|collections|numpy|typing)(?:\.\w+)*\.(\w+)", r"\1", text)


def text_of(value: object) -> str:
    """A docstring as Markdown: roles and double backticks become code, sections bold, examples fenced."""
    lines, out, fenced = inspect.getdoc(value).splitlines(), [], False
    for line in lines:
        example = line.startswith((">>>", "...")) or (fenced and line.strip())
        if example and not fenced:
            out.append("```pycon")
        if fenced and not example:
            out.append("```")
        fenced = bool(example)
        out.append(line if fenced else prose(line))
    return "\n".join([*out, "```"] if fenced else out)


def prose(line: str) -> str:
    line = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", line).replace("``", "`")
    section = re.fullmatch(r"(Args|Returns|Raises|Yields|Note|Attributes|Example|Examples):", line)
    entry = re.match(r"    (?! )(.*)", line)
    return f"\n**{section[1]}**\n" if section else f"- {entry[1]}" if entry else line.replace("        ", "  ", 1)


def entry(name: str) -> str:
    """The section of a public name."""
    value = getattr(ds3sim, name)
    parts = [f"## {name}", f"```python\nds3sim.{signature(name, value)}\n```", text_of(value)]
    if inspect.isclass(value) and not issubclass(value, Exception):
        for member, inner in members(value).items():
            parts += [f"### {name}.{signature(member, inner)}", text_of(getattr(value, member))]
    return "\n\n".join(parts)


def pages() -> dict[str, str]:
    """The text of every file of docs/api, by its name."""
    found, index = {}, [HEAD, "# Reference", "Every public name of `ds3sim`, from the docstrings.\n"]
    for page, (title, _) in PAGES.items():
        names = names_of(page)
        found[f"{page}.md"] = "\n\n".join([HEAD + f"# {title}", *map(entry, names)]) + "\n"
        index += [f"## [{title}]({page}.md)\n", "| name | what it is |", "|---|---|"]
        for name in names:
            first = prose(inspect.getdoc(getattr(ds3sim, name)).split("\n\n")[0].replace("\n", " ")).replace("|", "\\|")
            index.append(f"| [`{name}`]({page}.md#{name.lower()}) | {first} |")
        index.append("")
    return {"README.md": "\n".join(index), **found}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
