"""The image: its folder, labels, layers and platforms, and the OCI archive."""
