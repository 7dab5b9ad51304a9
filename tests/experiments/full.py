"""What an experiment computes at full size: as it is stored, or computed here."""

from experiments import store


def full(module, name):
    """The data that the figure shows, if they belong to the sources as they are; else computed here, in a minute."""
    config = module.Config()
    if store.path(name).exists():
        data = store.load(name)
        if data.attrs.get("fingerprint") == store.fingerprint(name, config):
            return data
    return module.run(config)
