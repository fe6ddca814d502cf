"""Finds out, from beside the app, why its processes do or do not export; runs on Python 3.6 and later."""
