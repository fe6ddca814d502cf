# The build writes the module from images/triggers.py: images/index.py.
AFTER: dict[str, tuple[str, ...]]
