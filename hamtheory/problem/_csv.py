"""Tables of text, read so that nothing is dropped or guessed in silence.

Neither `numpy.loadtxt` nor `pandas.read_csv` refuses what can only be a mistake, with the line and the column: a header
of numbers, an index without a name, decimal commas, a row that is too short, `1_000`.
"""

import csv
import difflib
import gzip
import io
import itertools
import math
import re
import zlib
from collections import Counter

import numpy as np

from ._kinds import refuse_other_kinds

Rows = list[tuple[int, list[str]]]  # with the number of their line
_NUMBER = re.compile(r"\s*[-+]?((\d+\.?\d*|\.\d+)(e[-+]?\d+)?|inf(inity)?|nan)\s*", flags=re.I | re.A)
_MARKS = ";\t,"
_YES = {"yes": 1.0, "y": 1.0, "true": 1.0, "t": 1.0, "positive": 1.0, "pos": 1.0}
_NO = {"no": 0.0, "n": 0.0, "false": 0.0, "f": 0.0, "negative": 0.0, "neg": 0.0}
_MISSING = ("", "nan", "na", "n/a", "none", "null", "?", "-")
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+(e[-+]?\d+)?\s*", flags=re.I | re.A)


def read_csv(
    path: str, target: str | None = None, *, finite: bool = True, decimal: str = ".", classes: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """X, y and the names of X's columns (None without a header), of a table with commas, semicolons or tabs.

    The mark between the cells is that one of the three which makes all rows of one width.

    Args:
        path: Of a text file in UTF-8, compressed if it ends in `.gz`.
        target: The name of the column that is y, or of a table without a header its number, from 1, as text; left out:
            the last one.
        finite: Whether NaN and infinities are refused.
        decimal: "." or ",", before the decimal places; with a comma, cells are separated by semicolons or tabs.
        classes: Whether y may be yes and no, true and false, or positive and negative, which become 1 and 0.

    Returns:
        X (n, d) and y (n,), in float64, and the names of X's columns, (d,), or None without a header: the first row is
        one if none of its cells is a number, or if `target` is one of them.

    Raises:
        ValueError: For what is no such table, with the line and the column: a first row of numbers and text, or of
            years in order, or of 0, 1, 2, ...; comments; decimal commas; cells that are no numbers; rows of another
            length; and for files of another kind, such as Parquet's and Excel's, with what they are.

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
    X, y, names, _ = read_columns(path, target, finite=finite, decimal=decimal, classes=classes)
    return X, y, names


def read_columns(
    path: str, target: str | None, *, finite: bool, decimal: str, classes: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, str]:
    """As `read_csv`, with what y's column is called.

    Args:
        path: As in `read_csv`.
        target: As in `read_csv`.
        finite: As in `read_csv`.
        decimal: As in `read_csv`.
        classes: As in `read_csv`.

    Returns:
        What `read_csv` returns, and the name of y's column, or its number.
    """
    if decimal not in (".", ","):
        raise ValueError(f"decimal must be '.' or ','; got {decimal!r}")
    rows = _rows(path, decimal)
    names = _header(path, rows[0], target, classes)
    if names:
        rows = rows[1:]
    if not rows:
        raise ValueError(f"{path} has a header and no rows")
    width = len(names) or len(rows[0][1])
    if width < 2:
        raise ValueError(f"{path} must have at least two columns, those of X and y; got one")
    column = width - 1 if target is None else place_of(path, target, names) if names else int(target) - 1
    of_classes = column if classes else None
    table = np.array([_numbers(path, line, cells, names, width, finite, of_classes) for line, cells in rows])
    labels = np.array([name for i, name in enumerate(names) if i != column]) if names else None
    response = names[column] if names else f"column {column + 1}"
    return np.delete(table, column, axis=1), table[:, column], labels, response


def place_of(path: str, target: str, names: list[str]) -> int:
    """The place of the column that is y, or an error with the name that may be meant, or those there are.

    Args:
        path: Of the table.
        target: The name of the column.
        names: Of all columns.

    Returns:
        The place, from 0.
    """
    if names.count(target) == 1:
        return names.index(target)
    near = [] if target in names else difflib.get_close_matches(target, names, 1)
    hint = f": did you mean {near[0]!r}?" if near else ","
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise ValueError(f"target must be the name of one column of {path}; got {target!r}{hint} the columns are: {shown}")


def _rows(path: str, decimal: str) -> Rows:
    text = _text(path)
    if not text.strip():
        raise ValueError(f"{path} is empty")
    marks = [mark for mark in _MARKS if mark in text and mark != decimal] or [_MARKS[0 if decimal == "," else -1]]
    tables = [_split(path, text, mark) for mark in marks]
    rows = next((rows for rows in tables if len({len(cells) for _, cells in rows}) == 1 and len(rows[0][1]) > 1), None)
    if rows is None:  # the one that comes nearest, for what is to be said about it
        rows = max(
            tables, key=lambda rows: max(Counter(len(cells) for _, cells in rows if len(cells) > 1).values() or [0])
        )
    for line, cells in rows:
        if cells[0].lstrip().startswith("#"):
            raise ValueError(f"{path}, line {line} begins with '#': leave comments out of the table")
    if decimal == ".":
        return rows
    return [(line, [_with_point(cell) for cell in cells]) for line, cells in rows]


def _alike(rows: Rows) -> int:
    """How many rows have the most frequent width, if that is more than one cell."""
    return max(Counter(len(cells) for _, cells in rows if len(cells) > 1).values(), default=0)


def _text(path: str) -> str:
    refuse_other_kinds(path)
    try:
        opened = gzip.open if path.lower().endswith(".gz") else open
        with opened(path, "rt", newline="", encoding="utf-8-sig") as file:
            return file.read()
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a text file in UTF-8 with separated values: {error}") from None


def _split(path: str, text: str, mark: str) -> Rows:
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True)
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise ValueError(f"{path} is not a text file in UTF-8 with separated values: {error}") from None


def _with_point(cell: str) -> str:
    """The cell with a decimal point, if it is a number with a decimal comma; a number with a point is none."""
    if _DECIMAL_COMMA.fullmatch(cell):
        return cell.replace(",", ".")
    return f"'{cell}'" if "." in cell and _is_number(cell) else cell


def _header(path: str, first: tuple[int, list[str]], target: str | None, classes: bool) -> list[str]:
    """The names of the columns, or none."""
    line, cells = first[0], [cell.strip() for cell in first[1]]
    text = [cell for cell in cells if not _is_number(cell)]
    if classes and len(text) == 1 and _class(text[0]) is not None:
        place = cells.index(text[0]) + 1
        if (str(place) == target) if target is not None else (place == len(cells)):
            return []
    if target is None and not text:
        if len(cells) > 2 and (_are_years(cells) or _are_places(cells)):
            raise ValueError(
                f"{path}, line {line}: {cells[0]}, {cells[1]}, ... look like a header of "
                f"{'years' if _are_years(cells) else 'numbers'}; if they are one, name y's column with --target, and "
                f"if they are data, write {cells[0]}.0"
            )
        return []
    if target is None and len(text) < len(cells):
        raise ValueError(
            f"{path}, line {line}: {text[0]!r} (column {cells.index(text[0]) + 1}) is not a number, but others in the "
            "first row are; if it is a header, name y's column with --target"
        )
    if "" in cells:
        raise ValueError(f"{path}: column {cells.index('') + 1} has no name in the header (an index? leave it out)")
    if target is not None and not text and not _names_one_of(path, cells, target):
        return []
    return cells


def _names_one_of(path: str, cells: list[str], target: str) -> bool:
    """Whether it is a cell of a first row of numbers, which then is a header, and not the number of a column."""
    number = int(target) if re.fullmatch(r"[1-9]\d*", target, flags=re.A) else 0
    named, numbered = target in cells, 1 <= number <= len(cells)
    if named and numbered and not (_are_years(cells) or _are_places(cells)):
        raise ValueError(
            f"{path}: target {target!r} is in the first row, and the number of a column, too; if that row is a header, "
            f"give it names that are no numbers, and if it is data, write {target}.0 in it"
        )
    if not (named or numbered):
        raise ValueError(
            f"target must be the name of one column of {path}; got {target!r}, and the first row holds numbers alone. "
            f"If it is no header, give the number of y's column, from 1 to {len(cells)}"
        )
    return named


def _numbers(
    path: str, line: int, cells: list[str], names: list[str], width: int, finite: bool, of_classes: int | None
) -> list[float]:
    if len(cells) != width:
        raise ValueError(f"{path}, line {line}: expected {width} cells, got {len(cells)}")
    row = []
    for place, cell in enumerate(cells, start=1):
        if place - 1 == of_classes and (known := _class(cell)) is not None:
            row.append(known)
            continue
        if not _is_number(cell) or (finite and not math.isfinite(float(cell))):
            column = f"column {place}{f' ({names[place - 1]})' if names else ''}"
            if _DECIMAL_COMMA.fullmatch(cell):
                point = cell.strip().replace(",", ".")
                raise ValueError(
                    f"{path}, line {line}, {column}: {cell.strip()!r} has a decimal comma; write {point}, or ask for "
                    "decimal=',' (--decimal ,)"
                )
            hint = ""
            if place - 1 == of_classes:
                hint = "; classes are two numbers, yes and no, true and false, or positive and negative"
            elif _class(cell) is not None:
                hint = "; classes have a margin: hamtheory margin, or kind='classification'"
            elif cell.strip().lower() in _MISSING:
                hint = "; fill in what is missing, or leave its row or its column out"
            elif not any(mark.isdigit() for mark in cell):
                hint = "; leave columns of text out, or code them as numbers"
            raise ValueError(
                f"{path}, line {line}, {column}: expected a {'finite ' if finite else ''}number, got {cell.strip()!r}"
                f"{hint}"
            )
        row.append(float(cell))
    return row


def _is_number(cell: str) -> bool:
    """Whether it is one as tables write them: not all that is one to Python, such as 1_000."""
    return _NUMBER.fullmatch(cell) is not None


def _class(cell: str) -> float | None:
    return (_YES | _NO).get(cell.strip().lower())


def _are_places(cells: list[str]) -> bool:
    """Whether they count from 0, as the columns of a data frame without names do."""
    return cells == [str(place) for place in range(len(cells))]


def _are_years(cells: list[str]) -> bool:
    years = [int(cell) if re.fullmatch(r"[1-9]\d{3}", cell, flags=re.A) else 0 for cell in cells]
    return min(years) > 0 and all(after - before == 1 for before, after in itertools.pairwise(years))
