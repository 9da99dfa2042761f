"""The paper's figures, each from one named command (``ds3sim reproduce``).

To add a figure: write a function ``draw_NAME(options) -> Drawing`` in a module of ``figures/`` and add a line to
``FIGURES``. This module stays light: the command line reads it for ``--help``.
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
        name: of the command and of the files.
        module: in ``figures/``; its function ``draw_NAME`` takes :class:`~ds3sim.reproduce.drawing.Options`.
        about: one line.
        data: the file in the folder ``--data`` that it needs, if any.
    """

    name: str
    module: str
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
        module = import_module(f"ds3sim.reproduce.figures.{self.module}")
        return getattr(module, f"draw_{self.name.replace('-', '_')}")(options)


CURVES = "llama8BpassN.csv"
"""One of the published curves; the others lie beside it."""

FIGURES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("token-budget", "equal_cost", "tokens that a cost buys, chain of thought and tree of thought"),
        Entry("strategy-maps", "equal_cost", "success of three strategies over budget and length of the task"),
        Entry("optimal-branching", "equal_cost", "the best number of branches at equal cost"),
        Entry("expected-steps", "expected_steps", "expected steps and two approximations, with their errors"),
        Entry("accuracy-contours", "allocation", "accuracy over training compute and tokens per task"),
        Entry("total-compute-optimal", "allocation", "model size and data where the inference demand is fixed"),
        Entry("allocation", "allocation", "lifetime compute: global optimum against the Chinchilla rule"),
        Entry("inference-optimal", "allocation", "exponents of size and tokens with unlimited data"),
        Entry("predictions", "predictions", "four predictions of the theory, each with a fitted number"),
        Entry("peeling", "peeling", "peeling near its threshold: which finite-size law simulated graphs follow"),
        Entry("skill-levels", "skills", "skills by level and compute, and the error of their Chernoff form"),
        Entry("training-ratio", "skills", "levels learnt against training tokens per parameter"),
        Entry("disorder", "skills", "sampled skill graphs against the mean field of the giant component"),
        Entry("aime", "reasoning", "accuracy against tokens in the AIME study, with published points"),
        Entry("emergence", "reasoning", "accuracy against training compute at several token budgets"),
        Entry("pass-at-n", "published", "published pass@N and vote curves of five models, and their fits", CURVES),
        Entry("error-weights", "published", "which wrong answers are given, fitted to vote curves", CURVES),
        Entry("difficulty", "published", "one law of difficulty fitted to five models at once", CURVES),
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
