"""The doctor shows the settings of a process and none of its secrets."""

from __future__ import annotations

from otel_injection.doctor.process_settings import in_force


def test_secrets_are_left_out_and_names_of_headers_stay() -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=s3cret, tenant=shop",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "s3cret",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:s3cret@collector:4318",
        "OTEL_SOME_TOKEN": "s3cret",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/etc/tls/client.pem",
        "HTTPS_PROXY": "http://user:s3cret@proxy",
        "PYTHONPATH": "/otel",
        "DATABASE_PASSWORD": "s3cret",
    }
    shown = dict(in_force(environment))
    assert "s3cret" not in repr(shown)
    assert shown == {
        "HTTPS_PROXY": "http://***@proxy",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/etc/tls/client.pem",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://***@collector:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=***,tenant=***",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "***",
        "OTEL_SOME_TOKEN": "***",
        "PYTHONPATH": "/otel",
    }
