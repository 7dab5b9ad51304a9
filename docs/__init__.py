"""The documentation site: what its libraries do not know. `mkdocs.yml` says what they do."""
