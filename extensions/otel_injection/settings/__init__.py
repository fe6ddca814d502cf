"""How settings are read.

What stands in the environment is read by ``early``, as a text, a list, a switch or a number of seconds: it needs no
table, and is there before anything of OpenTelemetry. What OpenTelemetry's private copies read, and whatever the table
checks, goes through ``environment.ENVIRON``. ``otlp.exporter_settings`` makes the exporters' settings of either the
environment or a configuration file; ``file`` reads that.
"""
