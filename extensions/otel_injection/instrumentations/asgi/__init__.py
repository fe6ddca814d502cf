"""FastAPI's and Starlette's requests: a shorter way through upstream's instrumentation, with the same telemetry."""
