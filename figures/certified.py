"""No figure shows a failed computation."""

import numpy as np
import xarray as xr


def failures(dataset: xr.Dataset) -> dict[str, int]:
    """How many instances failed, by reason."""
    meanings = dataset["status"].attrs["flag_meanings"].split()
    values, counts = np.unique(dataset["status"].values.astype(int), return_counts=True)
    return {meanings[value]: int(count) for value, count in zip(values, counts, strict=True) if value != 0}


def certified(dataset: xr.Dataset, *, mask_failures: bool = False) -> xr.Dataset:
    """The dataset, if every instance converged.

    Args:
        dataset: With the variable `status`.
        mask_failures: Failed instances turn into NaN, and are counted.

    Returns:
        The dataset, with the number of those that were masked as the attribute `masked`.

    Raises:
        ValueError: With the number of failures by reason, unless they are to be masked.
    """
    counts = failures(dataset)
    if not counts:
        return dataset.assign_attrs(masked=0)
    if not mask_failures:
        raise ValueError(f"experiment {dataset.attrs.get('experiment')}: cases failed: {counts}; they are not drawn")
    sound = dataset["status"] == 0
    masked = dataset.map(lambda v: v.where(sound) if set(sound.dims) <= set(v.dims) and v.name != "status" else v)
    return masked.assign_attrs(dataset.attrs, masked=sum(counts.values()))
