"""What an import of the app sets off: hooks, look-ups of entry points, the choice of an API copy."""
