"""Writes docs/api from the docstrings of ds3sim's public names, and the README's reference of config keys.

    .venv/bin/python scripts/api_reference.py

tests/test_docs.py holds both to what this script would write.
"""

from __future__ import annotations

import inspect
import re
from functools import cached_property
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
    return isinstance(value, property | cached_property | classmethod | staticmethod) or inspect.isfunction(value)


def signature(name: str, value: object) -> str:
    """A call as one writes it, without the module names of types."""
    if isinstance(value, property | cached_property):
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
    out, fenced = [], False
    for line in inspect.getdoc(value).splitlines():
        example = line.lstrip().startswith((">>>", "...")) or (fenced and line.strip())
        if example and not fenced:
            margin = len(line) - len(line.lstrip())
            out.append("```pycon")
        if fenced and not example:
            out.append("```")
        fenced = bool(example)
        out.append(line[margin:] if fenced else prose(line))
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


# ---- the README's reference of config keys ---------------------------------------------------------

BEGIN, END = "<!-- config reference: written by scripts/api_reference.py -->", "<!-- end of config reference -->"


def config_reference() -> str:
    """A table of keys for each table of a config, from the JSON schema of configs."""
    schema = ds3sim.schema()
    tables = {key: parts for key, inner in schema["properties"].items() if (parts := tables_of(schema, inner))}
    top = {key: inner for key, inner in schema["properties"].items() if key not in tables}
    out = ["**Top level**", "", *rows(schema, [{"properties": top}])]
    for key, parts in tables.items():
        about = schema["properties"][key]["description"].removesuffix(".")
        if key == "strategies":
            out += ["", f"**`[strategies.NAME]`**: {about}; keys as in `[strategy]`."]
        else:
            out += ["", f"**`[{key}]`**: {about}.", "", *rows(schema, parts)]
    return "\n".join(out)


def tables_of(schema: dict, inner: dict) -> list[dict]:
    """The tables that a key may hold; none where it holds a value."""
    if "$ref" in inner:
        return [schema["$defs"][inner["$ref"].rsplit("/", 1)[-1]]]
    found = [table for part in inner.get("anyOf", ()) for table in tables_of(schema, part)]
    if not found and isinstance(inner.get("additionalProperties"), dict):
        return tables_of(schema, inner["additionalProperties"])
    return found


def rows(schema: dict, parts: list[dict]) -> list[str]:
    """The table of the keys of one table, or of the kinds that one may be."""
    kinds = [part["properties"].get("kind", {}).get("const") for part in parts]
    found: dict[tuple[str, str, str, str], list[str]] = {}

    def add(name: str, inner: dict, kind: str) -> None:
        below = tables_of(schema, inner)
        if below and not inner.get("additionalProperties"):
            for table in below:
                own = table["properties"].get("kind", {}).get("const", kind)
                for key, value in table["properties"].items():
                    add(f"{name}.{key}", value, own)
            return
        what, default = type_of(inner), default_of(inner)
        if "const" in inner and name.endswith("kind"):
            names = [f"`{part['properties']['kind']['const']}`" for part in all_kinds(schema, parts, name)]
            what, default = ", ".join(names), ""
            kind = ""
            inner = {"description": "which of them"}
        meaning = inner.get("description", "")
        members = found.setdefault((name, what, default, meaning), [])
        members.extend([kind] if kind and kind not in members else [])

    for part, kind in zip(parts, kinds, strict=True):
        for key, inner in sorted(part["properties"].items(), key=lambda item: item[0] != "kind"):
            add(key, inner, kind or "")
    several = any(found.values())
    head = "| key | of | type | default | meaning |" if several else "| key | type | default | meaning |"
    lines = [head, "|---|---|---|---|---|" if several else "|---|---|---|---|"]
    for (name, what, default, meaning), of in found.items():
        cells = [f"`{name}`", *([", ".join(of)] if several else []), what, default, meaning]
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return lines


def all_kinds(schema: dict, parts: list[dict], name: str) -> list[dict]:
    """The tables that the dotted key of a kind chooses among."""
    for key in name.split(".")[:-1]:
        inner = next(part["properties"][key] for part in parts if key in part["properties"])
        parts = tables_of(schema, inner)
    return parts


def type_of(inner: dict) -> str:
    """The type of a key in words."""
    if "enum" in inner or "const" in inner:
        return ", ".join(f"`{value}`" for value in inner.get("enum", [inner.get("const")]))
    if "anyOf" in inner:
        words = [type_of(part) for part in inner["anyOf"] if part.get("type") not in ("null", None)]
        return " or ".join(dict.fromkeys(words))
    kind = inner.get("type", "any")
    if kind in ("number", "integer"):
        low = next(
            (f"{word} {plain(inner[key])}" for key, word in (("gt", "above"), ("ge", "at least")) if key in inner), ""
        )
        high = inner.get("le", inner.get("lt", 1e18))
        if low and high < 1e9:
            low = low.removeprefix("at least ")
            return f"{low}, below {plain(high)}" if "lt" in inner else f"{low} to {plain(high)}"
        return f"number {low}".strip()
    return {"string": "text", "boolean": "true, false", "array": "list", "object": "table"}.get(kind, kind)


def plain(value: float) -> str:
    """A number as one writes it in a config."""
    return str(int(value)) if value == int(value) and abs(value) < 1e9 else f"{value:g}"


def default_of(inner: dict) -> str:
    """The default of a key; empty where it has to be given."""
    value = inner.get("default", "")
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, int | float):
        return plain(value)
    return f"`{value}`" if value and isinstance(value, str) else str(value)


def readme() -> str:
    """The README with the reference as it is now."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{config_reference()}\n\n{END}{rest.split(END)[1]}"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    (ROOT / "README.md").write_text(readme(), encoding="utf-8")


if __name__ == "__main__":
    main()
