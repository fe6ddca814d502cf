"""Byte code for every supported Python: its compilers, and the bundle that holds it."""
