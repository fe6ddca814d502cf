"""Acts on imports of the app: runs hooks, answers look-ups of entry points, chooses the copy of the API."""
