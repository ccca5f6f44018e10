"""The DVC stages of DiffFake, one thin module each, run as ``python -m stages.<name>``."""
