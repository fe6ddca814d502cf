"""The most frequent steps of the SDK in fewer steps, with the same results; see ``replacing``."""
