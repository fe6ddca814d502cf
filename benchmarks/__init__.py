"""Measures what injection costs, beside the operator's own image: ``./build.sh bench [quick]``."""
