"""What the shorter ways of Flask and ASGI share: attributes, exclusion, series of metrics, and server spans.

Each way emits what upstream's instrumentation emits, and leaves to it whatever it does not know.
"""
