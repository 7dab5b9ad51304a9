"""No figure shows a failed computation."""

import xarray as xr


def certified(dataset: xr.Dataset, *, mask_failures: bool = False) -> xr.Dataset:
    """The dataset, if every lane converged; with `mask_failures`, failed lanes turn into NaN, and are counted.

    Errors: `ValueError` with the number of failures by reason, unless they are to be masked.
    """
    failed = dataset["status"] != 0
    if not bool(failed.any()):
        return dataset.assign_attrs(masked=0)
    meanings = dataset["status"].attrs["flag_meanings"].split()
    values, counts = dataset["status"].where(failed, drop=False).fillna(0).astype(int).values.ravel(), {}
    for value in values[values != 0]:
        counts[meanings[value]] = counts.get(meanings[value], 0) + 1
    if not mask_failures:
        raise ValueError(f"experiment {dataset.attrs.get('experiment')}: lanes failed: {counts}; they are not drawn")
    masked = dataset.map(lambda v: v.where(~failed) if set(failed.dims) <= set(v.dims) and v.name != "status" else v)
    return masked.assign_attrs(dataset.attrs, masked=int(failed.sum()))
