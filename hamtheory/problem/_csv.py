"""Tables of text, read so that nothing is dropped or guessed in silence.

Neither `numpy.loadtxt` nor `pandas.read_csv` refuses what can only be a mistake, with the line and the column: a header
of numbers, an index without a name, decimal commas, a row that is too short, `1_000`.
"""

import csv
import itertools
import math
import re

import numpy as np

Rows = list[tuple[int, list[str]]]  # with the number of their line
_NUMBER = re.compile(r"\s*[-+]?((\d+\.?\d*|\.\d+)(e[-+]?\d+)?|inf(inity)?|nan)\s*", flags=re.I | re.A)
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+(e[-+]?\d+)?\s*", flags=re.I | re.A)


def read_csv(
    path: str, target: str | None = None, *, finite: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """X, y and the names of X's columns (None without a header), of a table with commas, semicolons or tabs.

    Args:
        path: Of a text file in UTF-8.
        target: The name of the column that is y; left out: the last one.
        finite: Whether NaN and infinities are refused.

    Returns:
        X (n, d) and y (n,), in float64, and the names of X's columns, (d,), or None without a header: the first row is
        one if none of its cells is a number, or if a `target` is named.

    Raises:
        ValueError: For what is no such table, with the line and the column: a first row of numbers and text, or of
            years in order; comments; decimal commas; cells that are no numbers; rows of another length.

    ```python
    >>> import os, tempfile
    >>> import hamtheory as ht
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(path := os.path.join(folder, "mine.csv"), "w") as file:
    ...         _ = file.write("height;weight\\n1.5;60\\n1.8;75\\n")
    ...     X, y, names = ht.problem.read_csv(path)
    >>> X.tolist(), y.tolist(), names.tolist()
    ([[1.5], [1.8]], [60.0, 75.0], ['height'])

    ```
    """
    rows = _rows(path)
    names = _header(path, rows[0], target)
    if names:
        rows = rows[1:]
    if not rows:
        raise ValueError(f"{path} has a header and no rows")
    width = len(names) or len(rows[0][1])
    if width < 2:
        raise ValueError(f"{path} must have at least two columns, those of X and y; got one")
    table = np.array([_numbers(path, line, cells, names, width, finite) for line, cells in rows])
    column = width - 1 if target is None else names.index(target)
    labels = np.array([name for i, name in enumerate(names) if i != column]) if names else None
    return np.delete(table, column, axis=1), table[:, column], labels


def _rows(path: str) -> Rows:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [line for line in file if line.strip()]
            file.seek(0)
            last = lines[-1] if lines else ""  # of numbers, where a comma beside another mark is none that separates
            delimiter = next((mark for mark in ";\t" if mark in last), ",")
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
            rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a text file in UTF-8 with separated values: {error}") from None
    if not rows:
        raise ValueError(f"{path} is empty")
    for line, cells in rows:
        if cells[0].lstrip().startswith("#"):
            raise ValueError(f"{path}, line {line} begins with '#': leave comments out of the table")
    return rows


def _header(path: str, first: tuple[int, list[str]], target: str | None) -> list[str]:
    """The names of the columns, or none."""
    line, cells = first[0], [cell.strip() for cell in first[1]]
    text = [cell for cell in cells if not _is_number(cell)]
    if target is None and not text:
        if len(cells) > 2 and _are_years(cells):
            raise ValueError(
                f"{path}, line {line}: {cells[0]}, {cells[1]}, ... look like a header of years; if they are one, name "
                f"y's column with --target, and if they are data, write {cells[0]}.0"
            )
        return []
    if target is None and len(text) < len(cells):
        raise ValueError(
            f"{path}, line {line}: {text[0]!r} (column {cells.index(text[0]) + 1}) is not a number, but others in the "
            "first row are; if it is a header, name y's column with --target"
        )
    if "" in cells:
        raise ValueError(f"{path}: column {cells.index('') + 1} has no name in the header (an index? leave it out)")
    if target is not None and cells.count(target) != 1:
        shown = ", ".join(cells[:20]) + (", ..." if len(cells) > 20 else "")
        raise ValueError(f"--target must be the name of one column of {path}; got {target!r}, the columns are: {shown}")
    return cells


def _numbers(path: str, line: int, cells: list[str], names: list[str], width: int, finite: bool) -> list[float]:
    if len(cells) != width:
        raise ValueError(f"{path}, line {line}: expected {width} cells, got {len(cells)}")
    row = []
    for place, cell in enumerate(cells, start=1):
        if not _is_number(cell) or (finite and not math.isfinite(float(cell))):
            column = f"column {place}{f' ({names[place - 1]})' if names else ''}"
            if _DECIMAL_COMMA.fullmatch(cell):
                point = cell.strip().replace(",", ".")
                raise ValueError(f"{path}, line {line}, {column}: {cell.strip()!r} has a decimal comma; write {point}")
            raise ValueError(
                f"{path}, line {line}, {column}: expected a {'finite ' if finite else ''}number, got {cell.strip()!r}"
            )
        row.append(float(cell))
    return row


def _is_number(cell: str) -> bool:
    """Whether it is one as tables write them: not all that is one to Python, such as 1_000."""
    return _NUMBER.fullmatch(cell) is not None


def _are_years(cells: list[str]) -> bool:
    years = [int(cell) if re.fullmatch(r"[1-9]\d{3}", cell, flags=re.A) else 0 for cell in cells]
    return min(years) > 0 and all(after - before == 1 for before, after in itertools.pairwise(years))
