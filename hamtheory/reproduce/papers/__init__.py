"""One module a published figure, each with one `REPRODUCTION`, found by its file."""
