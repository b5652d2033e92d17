"""Spans and metrics: by the conventions, without a text in them, and sent nowhere that nobody has named."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from engine.errors import UserError
from engine.events import (
    AttemptFailed,
    Event,
    Events,
    Noted,
    ReplyReceived,
    RowAccepted,
    RowRejected,
    StageFinished,
    StageStarted,
)
from engine.open_telemetry import OpenTelemetry, endpoints_named

STORY: list[Event] = [
    StageStarted("generate", 10, "rows"),
    ReplyReceived("generate", 2 * 10**9, 70, 30, 0.25, False, "openai/gpt-5.4-mini"),
    AttemptFailed("generate", "rate", 1.0, 0.5, "openai/gpt-5.4-mini"),
    ReplyReceived("generate", 0, 70, 30, 0.25, True, "openai/gpt-5.4-mini"),
    RowAccepted("a secret question", "a secret answer"),
    RowRejected("format"),
    Noted("a secret note"),
    StageFinished("generate", "a secret summary"),
]
ABOUT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5.4-mini",
}


@pytest.mark.parametrize(
    ("environment", "signals"),
    [
        ({}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://here:4318"}, ("TRACES", "METRICS")),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://here:4318/v1/traces"}, ("TRACES",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://here:4318", "OTEL_METRICS_EXPORTER": "none"}, ("TRACES",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://here:4318", "OTEL_SDK_DISABLED": "true"}, ()),
        ({"OTEL_SERVICE_NAME": "mine", "OTEL_TRACES_EXPORTER": "otlp"}, ()),
    ],
)
def test_nothing_is_sent_but_where_an_endpoint_is_named(environment: dict[str, str], signals: tuple[str, ...]) -> None:
    assert endpoints_named(environment) == signals
    if not signals:
        assert OpenTelemetry.from_environment(environment) is None


def test_a_protocol_that_is_not_spoken_is_said() -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://here:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}

    with pytest.raises(UserError, match="grpc is not spoken here"):
        OpenTelemetry.from_environment(environment)


def test_without_an_sdk_it_listens_and_does_nothing() -> None:
    """OpenTelemetry's API alone has spans and metrics that are nobody's."""
    events = Events()
    listener = OpenTelemetry()
    events.subscribe(listener)
    for event in STORY:
        events.emit(event)
    listener.close()

    assert any(heard is listener for heard, _kinds in events._subscribed), "a listener that raises is dropped"


class Gathered:
    """What the SDK makes of the story, kept in memory."""

    def __init__(self) -> None:
        export = pytest.importorskip("opentelemetry.sdk.trace.export", reason="needs the extra 'otel'")
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        traces = TracerProvider(shutdown_on_exit=False)
        traces.add_span_processor(export.SimpleSpanProcessor(self._spans))
        meters = MeterProvider(metric_readers=[self._reader], shutdown_on_exit=False)
        listener = OpenTelemetry(traces, meters, title="smelt generate", now=lambda: 10**18)
        for event in STORY:
            listener(event)
        listener.close()
        self.spans: dict[str, list[Any]] = {}
        for span in self._spans.get_finished_spans():
            self.spans.setdefault(span.name, []).append(span)

    def points(self, name: str) -> list[Any]:
        data: Any = self._reader.get_metrics_data()
        metrics = [
            metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
        ]
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]


def test_an_attempt_is_a_span_within_its_stage_within_the_whole() -> None:
    gathered = Gathered()

    (whole,), (stage,) = gathered.spans["smelt generate"], gathered.spans["stage generate"]
    answered, failed = gathered.spans["chat gpt-5.4-mini"]

    assert stage.parent.span_id == whole.context.span_id
    assert {span.parent.span_id for span in (answered, failed)} == {stage.context.span_id}
    assert answered.end_time - answered.start_time == 250_000_000
    assert answered.attributes == {
        **ABOUT, "smelt.stage": "generate", "gen_ai.usage.input_tokens": 70, "gen_ai.usage.output_tokens": 30,
        "smelt.cost_usd": 0.002,
    }  # fmt: skip
    assert failed.attributes["error.type"] == "rate"
    assert failed.status.status_code.name == "ERROR"


def test_metrics_bear_the_names_of_the_conventions() -> None:
    gathered = Gathered()

    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum for point in gathered.points("gen_ai.client.token.usage")
    }
    seconds = {
        point.attributes.get("error.type"): point.sum for point in gathered.points("gen_ai.client.operation.duration")
    }

    assert tokens == {"input": 70, "output": 30}
    assert seconds == {None: 0.25, "rate": 0.5}
    assert [point.value for point in gathered.points("smelt.cost")] == [0.002]
    assert [point.value for point in gathered.points("smelt.replies.from_journal")] == [1]
    assert {point.attributes["smelt.outcome"]: point.value for point in gathered.points("smelt.rows")} == {
        "accepted": 1,
        "rejected": 1,
    }


def test_no_text_of_anybody_is_in_a_span() -> None:
    spans = [span for several in Gathered().spans.values() for span in several]

    assert spans
    assert not [span for span in spans if "secret" in span.to_json()]


class Endpoint:
    """A place that gathers what is posted to it."""

    def __init__(self) -> None:
        posted: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posted.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the screen."""

        self.posted = posted
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_what_is_sent_arrives_where_the_variable_says_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra 'otel'")
    endpoint = Endpoint()
    environment = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{endpoint.server.server_port}/v1/traces"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    listener = OpenTelemetry.from_environment(environment)
    assert listener is not None
    for event in STORY:
        listener(event)
    listener.close()
    endpoint.close()

    assert {path for path, _ in endpoint.posted} == {"/v1/traces"}
    assert any(b"chat gpt-5.4-mini" in body for _, body in endpoint.posted)
    assert not any(b"secret" in body for _, body in endpoint.posted)
    assert listener.trouble is None
