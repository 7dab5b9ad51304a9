"""A line of a table, which may go on below."""

import textwrap

_LABEL, _LINE = 20, 100  # characters


def row(name: str, text: str) -> str:
    lines = textwrap.wrap(text, _LINE - _LABEL, break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join(f"{name if i == 0 else '':{_LABEL}} {line}".rstrip() for i, line in enumerate(lines))
