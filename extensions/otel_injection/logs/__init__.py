"""Records of ``logging`` and uncaught exceptions as OpenTelemetry's, and the ids of spans in the app's records."""
