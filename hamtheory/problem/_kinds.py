"""What a file is by its first bytes, whatever its name says."""

import zipfile

_KINDS = (  # its first bytes, what it is, the suffix that says so, what to do with one without
    (b"\x1f\x8b", "compressed by gzip", ".gz", ""),
    (b"PAR1", "a Parquet file", ".parquet", ""),
    (b"\x93NUMPY", "an array of NumPy's", ".npy", ""),
    (b"CDF", "a NetCDF file", ".nc", ""),
    (b"\x89HDF", "an HDF5 or NetCDF file", ".nc", ""),
    (b"PK\x03\x04", "an archive of arrays of NumPy's", ".npz", ""),
    (b"\xd0\xcf\x11\xe0", "an Excel file", None, "save the sheet as CSV in UTF-8"),
    (b"ARROW1", "an Arrow file", None, "save it as Parquet"),
    (b"(\xb5/\xfd", "compressed by Zstandard", None, "decompress it"),
    (b"BZh", "compressed by bzip2", None, "decompress it"),
    (b"\xff\xfe", "not a text file in UTF-8: it begins like one in UTF-16", None, "save it in UTF-8"),
    (b"\xfe\xff", "not a text file in UTF-8: it begins like one in UTF-16", None, "save it in UTF-8"),
    (b"%PDF", "a PDF file", None, "save the table as text"),
)


_BEGINNINGS = {".gz": b"\x1f\x8b", ".parquet": b"PAR1", ".npy": b"\x93NUMPY", ".npz": b"PK\x03\x04"}


def refuse_other_kinds(path: str) -> None:
    """An error if the file is of another kind than its name says, with what it is.

    Args:
        path: Of a file.
    """
    with open(path, "rb") as file:
        first = file.read(8)
    if first.startswith(b"PK\x03\x04") and _is_workbook(path):
        raise ValueError(f"{path} is an Excel file; save the sheet as CSV in UTF-8")
    for begin, kind, suffix, advice in _KINDS:
        if first.startswith(begin):
            if suffix is not None and path.lower().endswith(suffix):
                return
            if suffix is not None:
                advice = f"{advice}, or name it with {suffix}" if advice else f"name it with {suffix}"
            raise ValueError(f"{path} is {kind}; {advice}")
    for suffix, begin in _BEGINNINGS.items():
        if path.lower().endswith(suffix) and not first.startswith(begin):
            kind = next(kind for start, kind, *_ in _KINDS if start == begin)
            raise ValueError(f"{path} is not {kind}, as its name says; if it is a table of text, name it with .csv")


def _is_workbook(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith(("xl/", "content.xml")) for name in archive.namelist())
    except zipfile.BadZipFile:
        return False
