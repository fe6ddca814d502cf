"""The global providers of tracers, meters and loggers, which find the SDK of the process when they are used."""
