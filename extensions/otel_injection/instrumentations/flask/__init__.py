"""Flask's requests: a shorter way through upstream's instrumentation, with the same spans and metrics."""
