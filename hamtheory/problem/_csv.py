"""Tables of text, read so that nothing is dropped or guessed in silence."""

import csv
import math

import numpy as np

Rows = list[tuple[int, list[str]]]  # with the number of their line


def read_csv(
    path: str, target: str | None = None, *, finite: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """X, y and the names of X's columns (None without a header), of a table with commas, semicolons or tabs.

    y is the last column, or the one named `target`. The first row is a header if none of its cells is a number, or if
    a `target` is named; one that has both numbers and text is refused. So are NaN and infinities, if
    `finite`.
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
            text = file.readline()
            delimiter = next((mark for mark in ",;\t" if mark in text), ",")
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
            rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a text file in UTF-8 with separated values: {error}") from None
    if not rows:
        raise ValueError(f"{path} is empty")
    return rows


def _header(path: str, first: tuple[int, list[str]], target: str | None) -> list[str]:
    """The names of the columns, or none."""
    line, cells = first[0], [cell.strip() for cell in first[1]]
    text = [cell for cell in cells if not _is_number(cell)]
    if target is None and not text:
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
            raise ValueError(
                f"{path}, line {line}, {column}: expected a {'finite ' if finite else ''}number, got {cell.strip()!r}"
            )
        row.append(float(cell))
    return row


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
