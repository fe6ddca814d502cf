"""Pushing the image to a registry, and the resource that pins it."""
