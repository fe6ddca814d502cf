"""The private container engine, and programs of Debian's packages, for tests and multi-platform builds."""
