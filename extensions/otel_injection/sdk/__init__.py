"""The one SDK of a process: its plan, its assembly, its identity, its export threads."""
