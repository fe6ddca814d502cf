"""The one SDK of a process: how it is built from the settings, its identity, its export threads."""
