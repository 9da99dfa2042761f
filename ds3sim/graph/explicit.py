"""Markov chains state by state: PRISM's explicit files (.tra with .lab and .sta), Storm's DRN, and PRISM modules of one
variable, such as :mod:`ds3sim.task.export` writes.

States are named by their numbers, or by what a .sta file says of them. The label ``init`` gives the start, ``goal`` and
``dead`` those nodes; every label may be named as a goal or as dead.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from ds3sim.core.errors import InputError, require, shown
from ds3sim.core.files import as_text, read_bytes
from ds3sim.core.packed import ENDINGS
from ds3sim.graph.found import Found

ONLY = "only discrete-time Markov chains (DTMC) are skill graphs"


def number(text: str) -> float | str:
    """A probability, also as a fraction; else the text, which is refused where the graph is made."""
    try:
        return float(text) if "/" not in text else float(Fraction(text))
    except (ValueError, ZeroDivisionError, OverflowError):
        return text


def _rows(text: str) -> Iterator[tuple[str, list[str]]]:
    """(place, fields) of the lines that are neither blank nor comments."""
    for count, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if fields and not fields[0].startswith(("#", "//")):
            yield f"line {count}", fields


# ---- PRISM: .tra, .lab, .sta ----------------------------------------------------------------------


def read_tra(text: str, where: str, path: Path, most: int) -> Found:
    """Transitions "i j p" under the numbers of states and transitions, with the .lab and .sta beside them, if any.

    Raises:
        InputError: naming file and line; a model that is no DTMC.
    """
    rows = _rows(text)
    place, head = next(rows)
    edges, lines = [], []
    states, transitions = 10**9, None
    if head[0].isalpha():  # Storm begins with the kind of model
        require(head[0].lower() == "dtmc", f"{where}, {place}: {shown(head[0])}: {ONLY}")
    else:
        require(len(head) < 3, f"{where}, {place}: {len(head)} numbers head the transitions of an MDP: {ONLY}")
        states = _number(head[0], f"{where}, {place}", "number of states")
        transitions = _number(head[-1], f"{where}, {place}", "number of transitions") if len(head) > 1 else None
    for place, fields in rows:
        if len(fields) not in (3, 4):
            raise InputError(f"{where}, {place}: {shown(' '.join(fields))} is no transition: give source target p")
        ends = (_state(end, states, f"{where}, {place}") for end in fields[:2])
        edges.append((*map(str, ends), number(fields[2])))
        lines.append(place)
    require(
        transitions in (None, len(edges)),
        f"{where}: has {len(edges)} transitions where its first line says {transitions}: the file may be cut off",
    )
    found = Found(edges=edges, lines=lines, labels=_labels(path, most, states))
    other = _valuations(path, most)
    labelled = (state for states in found.labels.values() for state in states)
    _list(found, (*(end for edge in edges for end in edge[:2]), *labelled), other)
    return found


def _list(found: Found, states: Iterable[str], other: Mapping[str, str]) -> None:
    """List the states in the order of their numbers, with their other names."""
    for state in sorted(set(map(int, states))):
        found.add_node(str(state), "the states", {"name": other[str(state)]} if str(state) in other else None)


def _state(text: str, states: int, place: str) -> int:
    state = _number(text, place, "number of a state")
    require(state < states, f"{place}: {shown(text)} is not the number of a state: {states} are numbered from 0")
    return state


def _number(text: str, place: str, what: str) -> int:
    require(text.isdecimal() and len(text) < 10, f"{place}: {shown(text)} is not the {what}")
    return int(text)


def _beside(path: Path, ending: str, most: int) -> tuple[str, str] | None:
    """(text, name) of the file beside ``path`` with this ending."""
    while path.suffix.lower() in ENDINGS:  # of a compressed file
        path = path.with_suffix("")
    other = path.with_suffix(ending)
    return (as_text(read_bytes(other, most=most), str(other)), str(other)) if other.is_file() else None


def _labels(path: Path, most: int, states: int) -> dict[str, list[Any]]:
    beside = _beside(path, ".lab", most)
    if beside is None:
        return {}
    text, where = beside
    labels: dict[str, list[Any]] = {}
    if text.lstrip().startswith("#DECLARATION"):  # Storm: #DECLARATION names #END, then "state name name"
        declared, _, rest = text.partition("#END")
        for name in declared.replace("#DECLARATION", "").split():
            labels[name] = []
        for place, (state, *names) in _rows(rest):
            for name in names:
                require(name in labels, f"{where}, {place}: unknown label {shown(name)}")
                labels[name].append(str(_state(state, states, f"{where}, {place}")))
        return labels
    head, _, rest = text.partition("\n")
    numbered = dict(re.findall(r'(\d+)\s*=\s*"([^"]*)"', head))
    require(bool(numbered), f'{where}, line 1: no labels: it must be 0="init" 1="deadlock" ...')
    labels = {name: [] for name in numbered.values()}
    for place, fields in _rows("\n" + rest):
        state, *marks = " ".join(fields).replace(":", " ").split()
        for mark in marks:
            require(mark in numbered, f"{where}, {place}: unknown label {shown(mark)}")
            labels[numbered[mark]].append(str(_state(state, states, f"{where}, {place}")))
    return labels


def _valuations(path: Path, most: int) -> dict[str, str]:
    """Values of the variables by state, as "(0,1)"; of a single variable as "0"."""
    beside = _beside(path, ".sta", most)
    if beside is None:
        return {}
    pairs = (line.partition(":") for line in beside[0].splitlines()[1:])
    return {state.strip(): value.strip() for state, colon, value in pairs if colon}


# ---- Storm: DRN -----------------------------------------------------------------------------------


def read_drn(text: str, where: str) -> Found:
    """Storm's explicit format: states, each with one action and its transitions.

    Raises:
        InputError: naming the line; a model that is no DTMC, or has parameters.
    """
    found = Found()
    edges, lines = [], []
    states, actions, model, after = set(), 0, False, ""
    state, count = "", None
    values: dict[str, str] = {}
    for place, fields in _rows(text):
        first, at = fields[0], f"{where}, {place}"
        if first.startswith("@"):
            require(first != "@type:" or fields[1:2] == ["DTMC"], f"{at}: {shown(' '.join(fields))}: {ONLY}")
            model, after = first == "@model", first
        elif not model:
            require(after != "@parameters", f"{at}: the model has parameters: give each of them a value")
            if after == "@placeholders":
                name, _, value = " ".join(fields).partition(":")
                values[name.strip()] = value.strip()
            count = _number(first, at, "number of states") if after == "@nr_states" else count
        elif first == "state":
            require(len(fields) > 1 and fields[1] not in states, f"{at}: a state without a number, or one twice")
            state, actions = fields[1], 0
            states.add(state)
            found.add_node(state, place)
            for label in _words(re.sub(r"\[[^]]*\]|\{[^}]*\}", " ", " ".join(fields[2:])), at):
                found.labels.setdefault(label, []).append(state)
        elif first == "action":
            actions += 1
            require(actions == 1, f"{at}: state {state} has several actions, so it is an MDP: {ONLY}")
        else:
            target, colon, chance = " ".join(fields).partition(":")
            if not (state and colon):
                raise InputError(f"{at}: {shown(' '.join(fields))} is no transition: it must be target : probability")
            edges.append((state, target.strip(), number(values.get(chance.strip(), chance.strip()))))
            lines.append(place)
    require(model, f"{where}: there is no @model: a DRN file holds @type: DTMC, @model and states")
    require(
        count in (None, len(states)),
        f"{where}: has {len(states)} states where @nr_states says {count}: the file may be cut off",
    )
    found.edges, found.lines = edges, lines
    found.check(where)
    return found


def _words(text: str, place: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise InputError(f"{place}: the quotes of {shown(text)} do not match") from None


# ---- PRISM: a module of one variable --------------------------------------------------------------

MODULE = re.compile(
    r"\bmodule\s+\w+\s+(\w+)\s*:\s*\[\s*(\d{1,9})\s*\.\.\s*(\d{1,9})\s*\]\s*"
    r"(?:init\s+(\d{1,9}))?\s*;(.*?)\bendmodule",
    re.DOTALL,
)
COMMAND = re.compile(r"\[\s*\w*\s*\]\s*(\w+)\s*=\s*(\d{1,9})\s*->\s*([^;]*);")
UPDATE = re.compile(r"(?:([^:+]+(?:[eE][-+]\d+)?)\s*:\s*)?(?:\(\s*(\w+)'\s*=\s*(\d{1,9})\s*\)|true)")
LABEL = re.compile(r'\blabel\s+"(\w+)"\s*=\s*([^;]*);')


def read_prism(text: str, where: str) -> Found:
    """A DTMC of one module with one variable and a command "[] s=i -> p:(s'=j) + ...;" for each state.

    Raises:
        InputError: the model is not of that kind.
    """
    advice = f"{where}: only a dtmc of one module with one variable and constant probabilities is read: write others as"
    advice += " .tra and .lab with prism -exporttrans, or with ds3sim export"
    plain = re.sub(r"//[^\n]*", "", text)
    modules = MODULE.findall(plain)
    good = (
        re.search(r"\bdtmc\b|\bprobabilistic\b", plain)
        and len(modules) == 1
        and len(re.findall(r"\bmodule\b", plain)) == 1
        and not re.search(r"\bendinit\b", plain)
    )
    if not good:
        raise InputError(advice)
    variable, low, high, init, body = modules[0]
    edges, lines, known = [], [], set()
    for match in COMMAND.finditer(body):
        own, state, updates = match.groups()
        require(int(state) not in known, f"{where}: state {state} has two commands: {ONLY}")
        known.add(int(state))
        pieces = [piece for piece in re.split(r"\+(?=[^+]*[:(t])", updates) if piece.strip()]
        for piece in pieces:
            update = UPDATE.fullmatch(piece.strip())
            require(update is not None and own == variable and update[2] in (None, variable), advice)
            assert update is not None
            ends = int(state), int(update[3] or state)
            edges.append((*map(str, ends), number((update[1] or "1").strip())))
            lines.append(f"state {state}")
    require(COMMAND.sub("", body).strip() == "", advice)
    found = Found(labels={"init": [str(int(init or low))]})
    found.add_up(edges, lines)
    for name, said in LABEL.findall(plain):
        parts = [part.strip() for part in said.split("|")]
        states = [re.fullmatch(rf"\(?\s*{variable}\s*=\s*(\d{{1,9}})\s*\)?", part) for part in parts]
        if all(states):
            found.labels[name] = [str(int(state[1])) for state in states if state]
        elif parts != ["false"]:
            raise InputError(f"{where}: label {name} is {shown(said)}: only {variable}=1 | {variable}=2 ... is read")
    states = [state for group in found.labels.values() for state in group]
    _list(found, [*states, *(end for edge in edges for end in edge[:2])], {})
    require(all(int(low) <= int(state) <= int(high) for state in found.nodes), f"{where}: a state out of range")
    return found
