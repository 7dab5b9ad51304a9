"""The page from questions to calls: each has an answer, code that asserts or prints, and a page to go on with.

The blocks are run with all others; whether a link holds is seen by the build of the site.
"""

import re

import pytest

pytest.importorskip("mkdocs_bibtex", reason="the extra `docs` is not installed: make docs")

from docs import hooks

TEXT = (hooks.HERE / "guide/calls.md").read_text(encoding="utf-8")
QUESTIONS = dict(part.split("\n", 1) for part in re.split(r"^### ", TEXT, flags=re.M)[1:])


def test_they_are_forty_and_questions():
    assert len(QUESTIONS) == 40 and all("?" in question for question in QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_short_shown_and_leads_on(question):
    answer, _, code = QUESTIONS[question].partition("```")
    code = code.partition("```")[0]
    assert 5 < len(answer.split()) < 60
    assert re.search(r"\]\((\w|\.)\S*\.md(#[\w-]+)?\)", answer) or "hamtheory " in answer + code
    assert len(code.strip().splitlines()) <= 10
    assert not code.startswith("python") or re.search(r"^ *(assert|print)\b", code, re.M)
