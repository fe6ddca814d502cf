"""OpenTelemetry for apps that know nothing of it: the package that runs inside the injected process."""
