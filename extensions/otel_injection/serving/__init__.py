"""Shorter ways through the instrumentations of servers, for the requests that most apps serve in most settings.

Each emits what upstream's instrumentation emits, and leaves to it whatever it does not know.
"""
