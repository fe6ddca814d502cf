"""Resource detectors of ours, by the names that ``OTEL_EXPERIMENTAL_RESOURCE_DETECTORS`` gives them."""
