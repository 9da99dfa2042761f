"""The paper's figures, each from one named command (``ds3sim reproduce``).

To add a figure: write ``figures/NAME.py`` with a function ``draw(options) -> Drawing`` and add a line to ``FIGURES``.
This module stays light: the command line reads it for ``--help``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from ds3sim.core.errors import InputError

if TYPE_CHECKING:
    from ds3sim.reproduce.drawing import Drawing, Options


@dataclass(frozen=True)
class Entry:
    """A figure that can be asked for.

    Attributes:
        name: of the command, of the files, and (hyphens as underscores) of the module in ``figures/``, whose function
            ``draw`` takes :class:`~ds3sim.reproduce.drawing.Options`.
        about: one line.
        data: the file in the folder ``--data`` that it needs, if any.
    """

    name: str
    about: str
    data: str | None = None

    def make(self, options: Options) -> Drawing:
        """Compute and draw.

        Raises:
            InputError: it needs data that are not there.
        """
        if self.data is not None:
            if options.data is None:
                raise InputError(f"{self.name} needs published data: name the folder that has {self.data} with --data")
            if not (options.data / self.data).is_file():
                raise InputError(f"{options.data}: has no {self.data}, which {self.name} needs")
        return import_module(f"ds3sim.reproduce.figures.{self.name.replace('-', '_')}").draw(options)


CURVES = "llama8BpassN.csv"
"""One of the published curves; the others lie beside it."""

FIGURES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("token-budget", "tokens that a cost buys, chain of thought and tree of thought"),
        Entry("strategy-maps", "success of three strategies over budget and length of the task"),
        Entry("optimal-branching", "the best number of branches at equal cost"),
        Entry("expected-steps", "expected steps and two approximations, with their errors"),
        Entry("accuracy-contours", "accuracy over training compute and tokens per task"),
        Entry("total-compute-optimal", "model size and data where the inference demand is fixed"),
        Entry("allocation", "lifetime compute: global optimum against the Chinchilla rule"),
        Entry("inference-optimal", "exponents of size and tokens with unlimited data"),
        Entry("predictions", "four predictions of the theory, each with a fitted number"),
        Entry("peeling", "peeling near its threshold: which finite-size law simulated graphs follow"),
        Entry("skill-levels", "skills by level and compute, and the error of their Chernoff form"),
        Entry("training-ratio", "levels learnt against training tokens per parameter"),
        Entry("disorder", "sampled skill graphs against the mean field of the giant component"),
        Entry("aime", "accuracy against tokens in the AIME study, with published points"),
        Entry("emergence", "accuracy against training compute at several token budgets"),
        Entry("pass-at-n", "published pass@N and vote curves of five models, and their fits", CURVES),
        Entry("error-weights", "which wrong answers are given, fitted to vote curves", CURVES),
        Entry("difficulty", "one law of difficulty fitted to five models at once", CURVES),
    )
}


def figures() -> dict[str, str]:
    """The figures that :func:`ds3sim.reproduce` makes: name -> what it shows, in one line.

    Example:
        >>> ds.figures()["optimal-branching"]
        'the best number of branches at equal cost'
    """
    return {entry.name: entry.about for entry in FIGURES.values()}


def chosen(name: str) -> list[Entry]:
    """The entries of a name, or all of them for ``all``.

    Raises:
        InputError: no such figure; the message has the nearest name.
    """
    if name == "all":
        return list(FIGURES.values())
    if name in FIGURES:
        return [FIGURES[name]]
    import difflib

    near = difflib.get_close_matches(name.lower().replace("_", "-"), [*FIGURES, "all"], n=1, cutoff=0.4)
    hint = f": did you mean {near[0]}?" if near else ":"
    raise InputError(f"reproduce {name}: no such figure{hint} known are {', '.join(FIGURES)}, all")
