"""What is stored is taken up, what fails is said, and a verdict follows from the comparisons alone."""

import dataclasses
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

import hamtheory as ht
from hamtheory.cli import main
from hamtheory.reproduce import Comparison, Reproduction, _run, chosen, stated, unstated

COUNT = []


@dataclass(frozen=True)
class Config:
    n: int = stated(3, "Section 2")
    scale: float = chosen(1.0)


@dataclass(frozen=True)
class Open(Config):
    d: int = unstated(5)


def compute(config):
    COUNT.append(config)
    if config.scale < 0:
        raise ValueError("scale is negative")
    return {"x": np.array(config.scale)}


def compare(config, numbers):
    return [
        Comparison(says="law", theirs="1", origin="claim", ours=float(numbers["x"]), low=0.5, high=2.0),
        Comparison(
            says="number", theirs="1", origin="figure", ours=float(numbers["x"]), low=0.9, high=1.1, why="why not"
        ),
    ]


def draw(figure, config, numbers):
    figure.subplots().plot([0, numbers["x"]])


def made(config, name="one", **others):
    parts = {"source": "ham", "place": "Figure 0", "title": "a | b", "claim": "<x>", "caption": "c"} | others
    functions = {"compute": compute, "compare": compare, "draw": draw}
    return Reproduction(name=name, config=config, smoke=config, full=config, **functions, **parts)


@pytest.fixture
def gallery(monkeypatch):
    def of(*ones):
        monkeypatch.setattr(_run, "chosen_ones", lambda names: list(ones))

    return of


def outcome(config, x):
    return made(config).verdict(config, {"x": np.array(x)})


def test_a_verdict_is_what_the_comparisons_say():
    assert outcome(Config(), 1.0).outcome == "reproduced" and outcome(Config(), 1.0).because == ""
    assert outcome(Config(), 3.0).outcome == outcome(Open(), 3.0).outcome == "differs"
    assert outcome(Config(), np.nan).outcome == "differs"
    assert outcome(Config(), 1.5).outcome == "differs"  # a number of theirs, and all of the set-up is known
    assert outcome(Open(), 1.5).outcome == "set-up not stated"
    assert outcome(Open(), 1.5).because == "number: 1.5, theirs 1 (why not)"


def test_numbers_of_theirs_are_compared_in_their_set_up_alone():
    verdict = outcome(replace(Config(), n=4), 1.5)
    assert verdict.outcome == "reproduced" and [one.says for one in verdict.comparisons] == ["law"]
    assert verdict.compared == "1 claim" and outcome(Config(), 1.0).compared == "1 claim, 1 number"


def test_the_set_up_says_where_its_numbers_are_from():
    rows = made(Open()).setup(replace(Open(), n=4, scale=0.25))
    assert rows == [("n", "4", "ours: theirs: 3"), ("scale", "0.25", "ours"), ("d", "5", "not stated")]
    assert made(Open()).setup(Open())[0] == ("n", "3", "stated: Section 2")


def test_what_is_no_comparison_is_refused(unchecked):
    with pytest.raises(ValueError, match="origin must be claim, text, figure or code, got 'memory'"):
        Comparison(says="", theirs="", origin="memory", ours=1.0, low=0.0)
    for low, high in ((-np.inf, np.inf), (2.0, 1.0), (np.nan, 1.0)):
        with pytest.raises(ValueError, match="low and high must bound"):
            Comparison(says="", theirs="", origin="claim", ours=1.0, low=low, high=high)


def test_a_configuration_without_origins_is_refused():
    @dataclass(frozen=True)
    class Bare:
        n: int = 3

    with pytest.raises(ValueError, match="n must be stated, unstated or chosen"):
        made(Bare())
    with pytest.raises(ValueError, match="scale must be one of default, smoke, full, got 'large'"):
        made(Config()).at("large")


def test_what_is_stored_is_not_computed_again(tmp_path, gallery):
    gallery(made(Config()))
    how = {"out": tmp_path, "progress": False}
    COUNT.clear()
    [first], [second] = ht.reproduce.reproduce(**how), ht.reproduce.reproduce(**how)
    assert len(COUNT) == 1 and not first.is_stored and second.is_stored
    assert first.verdict == second.verdict and first.seconds == second.seconds
    gallery(made(replace(Config(), scale=1.05)))  # another configuration
    [third] = ht.reproduce.reproduce(**how)
    assert len(COUNT) == 2 and not third.is_stored
    told = json.loads((tmp_path / "one.json").read_text())
    (tmp_path / "one.json").write_text(json.dumps(told | {"fingerprint": "of other code"}))
    assert not ht.reproduce.reproduce(**how)[0].is_stored
    (tmp_path / "one.json").write_text("{")  # cut off
    assert not ht.reproduce.reproduce(**how)[0].is_stored
    (tmp_path / "one.png").unlink()
    assert not ht.reproduce.reproduce(**how)[0].is_stored and (tmp_path / "one.png").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"one.json", "one.npz", "one.png", "index.html", "index.md"}


def test_the_code_of_the_reproduction_and_of_the_library_count():
    one = ht.reproduce.gallery()["ham-crossing"]
    other = dataclasses.replace(one, compute=ht.reproduce.gallery()["woodworth-depth"].compute)
    marks = {_run.fingerprint(x, x.config) for x in (one, other)} | {_run.fingerprint(one, one.smoke)}
    assert len(marks) == 3 and _run.fingerprint(one, one.config) in marks


def test_one_that_fails_is_reported_and_the_rest_goes_on(tmp_path, gallery):
    gallery(made(replace(Config(), scale=-1.0), "bad"), made(Config(), "good"))
    bad, good = ht.reproduce.reproduce(out=tmp_path, progress=False)
    assert (bad.outcome, good.outcome) == ("failed", "reproduced") and bad.failure == "ValueError: scale is negative"
    assert "failed: ValueError: scale is negative" in (tmp_path / "index.md").read_text()
    assert not (tmp_path / "bad.json").exists()


def test_the_pages_have_it_all(tmp_path, gallery):
    gallery(made(replace(Open(), scale=1.5)))
    ht.reproduce.reproduce(out=tmp_path, progress=False)
    markdown, html = ((tmp_path / f"index.{kind}").read_text() for kind in ("md", "html"))
    assert "a \\| b" in markdown and "<p>&lt;x&gt;</p>" in html and "one.png" in markdown and "one.png" in html
    for text in (markdown, html):
        assert "set-up not stated: number: 1.5, theirs 1 (why not)" in text and "not stated" in text


def test_the_command_lists_and_computes(tmp_path, capsys):
    assert main(["reproduce", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(ht.reproduce.gallery())
    assert main(["reproduce", "ham-crossing", "--smoke", "--quiet", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "1 reproduced" in said and (tmp_path / "index.html").exists()


def test_the_command_fails_where_one_could_not_be_computed(tmp_path, gallery, capsys):
    gallery(made(replace(Config(), scale=-1.0), "bad"))
    assert main(["reproduce", "--quiet", "--out", str(tmp_path)]) == 1
    assert "error: bad: ValueError: scale is negative" in capsys.readouterr().err


def test_bad_input_is_refused(tmp_path, capsys):
    for words, reason in ((["nothing"], "there is no 'nothing'"), (["--full", "--smoke"], "exclude each other")):
        assert main(["reproduce", *words, "--out", str(tmp_path / "out")]) == 2
        assert reason in capsys.readouterr().err
    with pytest.raises(ValueError, match="scale must be one of"):
        ht.reproduce.reproduce(["ham-crossing"], out=tmp_path, scale="huge")


def test_a_source_names_all_of_its_figures(tmp_path):
    from hamtheory.reproduce._gallery import chosen_ones

    assert len(chosen_ones(("woodworth2020kernel",))) == 4 and len(chosen_ones(())) == len(ht.reproduce.gallery())
