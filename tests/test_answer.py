"""Answers compared: spellings of one answer agree, different answers never do."""

import json
import random

import pytest

import ds3sim as ds
from ds3sim.fit.logs.answer import Answer

EQUAL = """
\\frac43 = \\frac{4}{3} | \\frac 59 = \\frac{5}{9} | \\dfrac{x + 1}{2} = \\frac{x+1}{2} | 1/2 = 0.5 | \\frac12 = 0.50
-\\frac{1}{2} = \\frac{-1}{2} | -\\frac12 = -0.5 | 2\\frac{1}{2} = 5/2 | 2\\frac{1}{2} = 2.5 | 2 1/2 = 2.5
-2\\frac12 = -2.5 | 137 \\frac{1}{2} = 137.5 | ½ = 0.5 | 2½ = 5/2 | x² = x^2 | x^{2}+1 = x^2 + 1 | +5 = 5 | 2. = 2
1,200 = 1200 | 1{,}200 = 1200 | 1,\\!200 = 1200 | 1\\,200 = 1200 | (0.5, 1) = (\\frac12, 1) | 1,2,3 = 1, 2, 3
90^\\circ = 90 | 30^{\\circ} = 30° | 25 degrees = 25^\\circ | \\$18.90 = 18.90 | 10\\% = 10 | 5\\text{ cm} = 5
5 cm = 5\\text{ cm} | 5\\text{ cm}^2 = 5 | 5.4 \\text{ cents} = 5.4 | 3\\pi\\text{ in} = 3\\pi
\\text{(C)} = C | (A) = A | \\textbf{(A)} = a | \\text{Evelyn} = evelyn | $\\frac{1}{2}$ = 0.5 | \\boxed{5} = 5
4210_{5} = 4210_5 | 11\\sqrt2 = 11\\sqrt{2} | 70\\sqrt2 = 70 \\sqrt{2} | e^{i\\pi} = e^{i \\pi} | 6 - 5i = 6-5i
(3, \\frac\\pi2) = \\left( 3, \\dfrac{\\pi}{2} \\right) | (-\\infty, 3] = (-∞,3] | \\{2,1\\} = \\{1, 2\\}
132 / 3 = 44 | 1.5e3 = 1500 | 1.5\\times 10^3 = 1500 | -2 \\cdot 10^{-3} = -0.002 | 10^6 = 1,000,000
5 × 10⁻³ = 0.005 | x⁻¹ = x^{-1}
0.\\overline{3} = 1/3 | 0.1\\overline{6} = \\frac16 | 2.(45) = 27/11 | -0.\\overline3 = -\\frac13
\\pi/2 = \\frac{\\pi}{2}
(x+1)/2 = \\frac{x+1}{2} | \\sqrt3/2 = \\frac{\\sqrt{3}}{2} | -x/y = -\\frac{x}{y} | 5 cm^2 = 5\\text{ cm}^2
\\log_2 3 = \\log_{2}3
\\lvert x\\rvert = |x| | \\dbinom{5}{12} = \\binom{5}{12} | \\overline{AB} = \\overline{A B} | \\text{No} = no | (D) = d
\\begin{pmatrix} 0.5 \\\\ 2 \\end{pmatrix} = \\begin{bmatrix}\\frac12\\\\2.0\\end{bmatrix}
\\frac{1}{2}\\text{ Hours} = 0.5 hours
\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix} = \\begin{bmatrix}1\\\\2\\end{bmatrix} | x \\in [-2,7] = [-2,7]
"""
DIFFERENT = """
2\\frac{1}{2} = 21/2 | 3\\frac{4}{3} = 13/3 | x+1/2 = (x+1)/2 | \\frac{x+1}{2} = x+\\frac12 | \\frac{1}{2x} = \\frac12x
\\frac{12}{3}4 = \\frac{12}{34} | 1/2/3 = 1/6 | 1/0 = 0 | 2 3 = 23 | 1, 200 = 1200 | (1,200) = 1200 | 2x = x2
5\\text{ cm} = 5\\text{ m} | 50 = 0.5 | 5m = 5 | 5x = 5 | (1,2) = (2,1) | (1,2) = [1,2] | \\{1,2\\} = (1,2) | 2,1 = 1,2
x^{10} = x^{1}0 | a_{12} = a_1 2 | \\sqrt{10} = \\sqrt10 | \\sqrt[3]{2} = \\sqrt{2} | 10_2 = 10 | X+2x = x+2x
\\binom{1}{23} = \\binom{12}{3} | \\overline{AB}C = \\overline{ABC} | \\vec{ab} = \\vec{a}b | \\sin{xy} = \\sin{x}y
8.\\overline{09} = 9 | 0.\\overline{36} = 0.3\\overline{6} | 0.\\overline{3} = 0.3
0.\\overline{1}6 = 0.\\overline{16} | 1.5e3 = 1.5e4
10^3 = 103 | 10^{-3} = 10^3
AB = ab | e = E | m = M | x-Y = X-y | 5\\text{ MW} = 5\\text{ mW} | 5 mg = 5 Mg | a/bc = \\frac{a}{b}c
x/2y = \\frac{x}{2}
\\begin{pmatrix}12\\end{pmatrix} = \\begin{pmatrix}1&2\\end{pmatrix} | 5 cm^2 = 5 cm | 5 cm^2 = 5 cm^3
1.5\\times10^3 = 1.5103
12:00 = 1:00 | \\pm 5 = 5 | 1-\\frac1e = 1+\\frac1e | \\frac{1}{2^{99}} = \\frac{1}{2^{98}} | 1-2 = -12 | even = odd
\\begin{vmatrix}1\\end{vmatrix} = \\begin{pmatrix}1\\end{pmatrix} | x<5 = 5 | -1 = 1 | 1.5 = 15 | 1/3 = 0.333 | a = b
19, 46, \\text{ and } 82 = 21, 36, and 82 | --5 = -5 | 12 = 1.2 | x \\text{ is even} = x
"""


def pairs(table):
    return [tuple(pair.strip().split(" = ")) for line in table.strip().splitlines() for pair in line.split(" | ")]


@pytest.mark.parametrize(("one", "other"), [*pairs(EQUAL), ("x=5", "x = 5"), ("x=5", "5"), ("k = \\frac12", "0.5")])
def test_spellings_of_one_answer_agree(one, other):
    assert Answer.of(one).agrees(Answer.of(other)) and Answer.of(other).agrees(Answer.of(one))


@pytest.mark.parametrize(("one", "other"), [*pairs(DIFFERENT), ("x=5", "y=5"), ("n=2,3", "3")])
def test_different_answers_differ(one, other):
    assert not Answer.of(one).agrees(Answer.of(other))


def test_any_text_has_an_answer():
    draw = random.Random(0)
    tokens = [
        "\\frac",
        "{",
        "}",
        "1",
        "23",
        "x",
        "\\sqrt",
        "[",
        "]",
        "(",
        ")",
        "\\text{",
        "cm",
        "^",
        "_",
        "\\circ",
        "½",
    ]
    tokens += ["²", ",", " ", "\\$", "%", "=", "\\{", "\\}", "\\begin{array}", "\\\\", "/", "-", ".", "\\", "\x00"]
    for _ in range(5_000):
        text = "".join(draw.choices(tokens, k=draw.randrange(12)))
        assert Answer.of(text).agrees(Answer.of(text))
    assert Answer.of("1e999999999").core == "1e999999999" and Answer.of("9" * 10_000).core == "9" * 10_000


def completions(path, *problems):
    """A search-and-learn log of problems, each a right answer and what was boxed."""
    rows = [
        {"problem": f"p{i}", "answer": right, "completions": [f"so \\boxed{{{text}}}" for text in said]}
        for i, (right, *said) in enumerate(problems)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_comparison_in_a_log(tmp_path):
    path = completions(
        tmp_path / "a.jsonl", ("\\frac43", "4/3", "\\frac{4}{3}", "3/4"), ("2x+2", "2(x+1)", "2(1+x)", "x"), ("7", "8")
    )
    log = ds.read_log(path)
    assert log.correct.tolist() == [2, 0, 0]
    assert list(log.table.answer[:2]) == ["4/3", "4/3"]  # votes count spellings of the right answer as one
    assert any("2 of 3 problems have no correct sample" in note for note in log.notes)
    pytest.importorskip("math_verify")
    assert any("math-verify calls 2 of 3 samples correct that count as wrong" in note for note in log.notes)
    assert ds.read_log(path, compare="math-verify").correct.tolist() == [2, 2, 0]


def test_compare_is_refused_where_it_does_nothing(tmp_path, monkeypatch):
    table = tmp_path / "t.csv"
    table.write_text("problem,sample,correct\na,0,1\n")
    with pytest.raises(ds.InputError, match="the format tidy has no option compare"):
        ds.read_log(table, compare="spelling")
    log = tmp_path / "samples_gsm8k.jsonl"
    row = {"doc_id": 0, "doc": {}, "target": "7", "resps": [["7"]], "filtered_resps": ["7"], "filter": "none"}
    log.write_text(json.dumps({**row, "metrics": ["exact_match"], "exact_match": 1.0}) + "\n")
    with pytest.raises(ds.InputError, match="compare has no effect"):
        ds.read_log(log, compare="spelling")
    path = completions(tmp_path / "a.jsonl", ("2x+2", "2(x+1)"))
    with pytest.raises(ds.InputError, match="compare = 'algebra' is not known"):
        ds.read_log(path, compare="algebra")
    monkeypatch.setattr("ds3sim.fit.logs.mathematics.installed", lambda: False)
    with pytest.raises(ds.InputError, match=r"pip install 'ds3sim\[math\]'"):
        ds.read_log(path, compare="math-verify")
    assert any("1 samples differ from the right answer in spelling" in note for note in ds.read_log(path).notes)


def test_as_mathematics():
    pytest.importorskip("math_verify")
    from ds3sim.fit.logs.mathematics import agree, changed

    for one, other in [("2(x+1)", "2x+2"), ("2\\sqrt{2}", "\\sqrt{8}"), ("\\frac{\\sqrt2}{2}", "\\frac{1}{\\sqrt2}")]:
        assert agree(one, other) and not Answer.of(one).agrees(Answer.of(other))
    # Called equal by the library alone: six decimals, and numbers found inside what it cannot read.
    wrong = [("\\frac{1}{2^{99}}", "\\frac{1}{2^{98}}"), ("\\frac{1}{2004!}", "\\frac{1}{2006!}"), ("0.333333", "1/3")]
    wrong += [("5\\text{ cm}", "5\\text{ m}"), ("1-\\frac{1}{\\mathrm{e}}", "1+\\frac{1}{\\mathrm{e}}")]
    wrong += [("\\infty", "-\\infty"), ("\\frac10", "0"), ("10_{2}", "10_{3}"), ("x'", "x"), ("\\Delta", "\\delta")]
    wrong += [("(1,2)", "\\{1,2\\}"), ("x^2+X", "X^2+x"), ("x\\text{ even}", "x\\text{ odd}"), ("2 0", "3 0")]
    wrong += [("5 cm", "5 m"), ("5 mg", "5 Mg")]
    assert not any(agree(one, other) or agree(other, one) for one, other in wrong)
    assert agree("50\\%", "0.5") and agree("\\infty", "+\\infty")
    assert changed({("\\sqrt{8}", "2\\sqrt{2}"): 3, ("1", "2"): 4}) == (3, 7)
