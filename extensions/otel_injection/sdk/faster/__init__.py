"""Faster replacements for the SDK's most frequent operations, with the same results; see ``replacing``."""
