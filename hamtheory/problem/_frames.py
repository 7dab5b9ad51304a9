"""What tables of pandas and Polars know besides numbers: the names of columns, and the order of rows."""

from typing import Any

import numpy as np


def names_of(table: Any) -> tuple[str, ...] | None:
    """The names of the columns of a table, None if it has none but their places.

    Args:
        table: Anything; of pandas, of Polars, or what has `columns` and `to_numpy` as theirs have.

    Returns:
        The names, (d,).
    """
    if not (hasattr(table, "columns") and hasattr(table, "to_numpy")):
        return None
    columns = list(table.columns)
    return None if columns == list(range(len(columns))) else tuple(map(str, columns))


def check_order(X: Any, target: Any, name: str, theta_star: Any) -> None:
    """An error if rows, or columns, have labels that are not those of X, or not in their order.

    Args:
        X: The samples.
        target: What is known of the samples.
        name: That of the argument `target`.
        theta_star: One number for each column.
    """
    rows, of_target = (_labels(getattr(table, "index", None)) for table in (X, target))
    if rows is not None and of_target is not None and len(rows) == len(of_target) and rows != of_target:
        by_place = list(range(len(rows)))
        if sorted(map(str, rows)) == sorted(map(str, of_target)) or by_place not in (rows, of_target):
            at = next(i for i, (row, other) in enumerate(zip(rows, of_target, strict=True)) if row != other)
            raise ValueError(
                f"{name} must have its rows in the order of those of X; at place {at} X has {rows[at]!r}, "
                f"{name} {of_target[at]!r}. Align them by their index, or pass {name}.to_numpy()"
            )
    columns, labels = names_of(X), _labels(getattr(theta_star, "index", None))
    if columns is not None and labels is not None and len(labels) == len(columns):
        entries = tuple(map(str, labels))
        if entries != columns and labels != list(range(len(columns))):
            at = next(i for i, (column, other) in enumerate(zip(columns, entries, strict=True)) if column != other)
            raise ValueError(
                f"theta_star must have its entries in the order of X's columns; at place {at} X has {columns[at]!r}, "
                f"theta_star {entries[at]!r}"
            )


def _labels(index: Any) -> list[Any] | None:
    """The labels of an index of pandas; lists have a method of this name, Polars has none."""
    return list(np.asarray(index).tolist()) if index is not None and hasattr(index, "equals") else None
