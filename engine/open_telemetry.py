"""What an engine does as OpenTelemetry's spans and metrics, for those who have a place that gathers them.

A listener: reads events and never steers. Nothing is sent anywhere unless somebody has named an endpoint or handed over
providers of their own, and no text of a request, a reply or a row is ever in it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from engine.errors import UserError
from engine.events import AttemptFailed, Event, ReplyReceived, RowAccepted, RowRejected, StageFinished, StageStarted
from engine.prices import PICO_PER_USD
from engine.text import clean

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["OpenTelemetry", "endpoints_named"]

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
SIGNALS: Final = ("TRACES", "METRICS")
EXTRA: Final = "otel"

# As the conventions for generative AI advise.
_TOKENS: Final = [4.0**power for power in range(14)]
_SECONDS: Final = [0.01 * 2**power for power in range(14)]

_NANO: Final = 10**9

_PATIENCE_S: Final = 3.0  # for each signal, where nobody answers: a command that has ended is not held up for longer


def endpoints_named(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The signals for which an endpoint is named in OpenTelemetry's own variables: TRACES, METRICS, both or none."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    return tuple(signal for signal in SIGNALS if _is_named(signal, environment))


def _is_named(signal: str, environment: Mapping[str, str]) -> bool:
    if environment.get(f"OTEL_{signal}_EXPORTER", "otlp").strip().lower() != "otlp":
        return False
    return bool(environment.get(ENDPOINT) or environment.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"))


class OpenTelemetry:
    """A listener that makes spans and metrics: `events.subscribe(OpenTelemetry(tracer_provider, meter_provider))`.

    A span covers everything until `close`, one each stage, and one each attempt at the provider, under the conventions
    for generative AI (`chat MODEL`, `gen_ai.*`). Metrics: `gen_ai.client.token.usage`,
    `gen_ai.client.operation.duration`, and our own `smelt.cost` (USD), `smelt.replies.from_journal` and `smelt.rows`.
    Without providers it takes those that the process has set up with OpenTelemetry's API, which by itself does nothing.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        title: str = "smelt",
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        from opentelemetry import metrics, trace

        self._now = now
        self._trace = trace
        self._tracer = trace.get_tracer("smelt", tracer_provider=tracer_provider)
        self._whole = self._tracer.start_span(title, start_time=now())
        self._stages: dict[str, Span] = {}
        self._closers: list[Callable[[], None]] = []
        self._trouble = _Trouble()
        meter = metrics.get_meter("smelt", meter_provider=meter_provider)
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens of requests and replies",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self._seconds = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="How long an attempt took",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._cost = meter.create_counter("smelt.cost", unit="USD", description="What replies have cost")
        self._journal = meter.create_counter(
            "smelt.replies.from_journal", unit="{reply}", description="Replies that were paid for before"
        )
        self._rows = meter.create_counter("smelt.rows", unit="{row}", description="Rows kept and left out")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, *, title: str = "smelt") -> Self | None:
        """One that sends to the endpoint which OpenTelemetry's own variables name; None where they name none.

        Over HTTP, as protobuf. Raises UserError where an endpoint is named and the extra is missing, or another
        protocol is asked for.
        """
        signals = endpoints_named(environment)
        if not signals:
            return None
        protocol = environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        if protocol != "http/protobuf":
            raise UserError(f"OTEL_EXPORTER_OTLP_PROTOCOL: {protocol} is not spoken here; set it to http/protobuf")
        try:
            traces, metrics = _exporting(signals, environment)
        except ImportError as error:
            raise UserError(
                f"an OpenTelemetry endpoint is named in the environment: pip install 'smelt[{EXTRA}]' to send to it, "
                "or set OTEL_SDK_DISABLED=true"
            ) from error
        made = cls(traces, metrics, title=title)
        made._closers = [provider.shutdown for provider in (traces, metrics)]
        logging.getLogger("opentelemetry").addHandler(made._trouble)
        return made

    @property
    def trouble(self) -> str | None:
        """What first kept something from being sent, if anything did."""
        return self._trouble.first

    def __call__(self, event: Event) -> None:
        match event:
            case ReplyReceived(from_journal=True):
                self._journal.add(1, {"smelt.stage": event.tag})
            case ReplyReceived():
                self._note_reply(event)
            case AttemptFailed():
                self._note_failure(event)
            case StageStarted():
                self._stages[event.stage] = self._tracer.start_span(
                    f"stage {event.stage}", context=self._trace.set_span_in_context(self._whole), start_time=self._now()
                )
            case StageFinished():
                if (span := self._stages.pop(event.stage, None)) is not None:
                    span.end(self._now())
            case RowAccepted():
                self._rows.add(1, {"smelt.outcome": "accepted"})
            case RowRejected():
                self._rows.add(1, {"smelt.outcome": "rejected", "smelt.reason": event.reason})
            case _:
                pass

    def close(self) -> None:
        """End what is open and send what is left. For a few seconds at most, whoever does not answer."""
        for span in (*reversed(self._stages.values()), self._whole):
            span.end(self._now())
        self._stages.clear()
        for closer in self._closers:
            closer()
        logging.getLogger("opentelemetry").removeHandler(self._trouble)

    def _note_reply(self, event: ReplyReceived) -> None:
        about = _about(event.model)
        cost = event.cost / PICO_PER_USD
        span = self._attempt(event.tag, about, seconds=event.latency_s)
        span.set_attribute("gen_ai.usage.input_tokens", event.input_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", event.output_tokens)
        span.set_attribute("smelt.cost_usd", cost)
        span.end(self._now())
        self._seconds.record(event.latency_s, about)
        self._tokens.record(event.input_tokens, {**about, "gen_ai.token.type": "input"})
        self._tokens.record(event.output_tokens, {**about, "gen_ai.token.type": "output"})
        self._cost.add(cost, {**about, "smelt.stage": event.tag})

    def _note_failure(self, event: AttemptFailed) -> None:
        about = _about(event.model)
        span = self._attempt(event.tag, about, seconds=event.latency_s)
        span.set_attribute("error.type", event.kind)
        span.set_status(self._trace.StatusCode.ERROR)
        span.end(self._now())
        self._seconds.record(event.latency_s, {**about, "error.type": event.kind})

    def _attempt(self, tag: str, about: Mapping[str, str], *, seconds: float) -> Span:
        """A span that began so many seconds ago, within the stage that is at work."""
        parent = next(reversed(self._stages.values()), self._whole)
        return self._tracer.start_span(
            f"chat {about['gen_ai.request.model']}",
            context=self._trace.set_span_in_context(parent),
            kind=self._trace.SpanKind.CLIENT,
            attributes={**about, "smelt.stage": tag},
            start_time=self._now() - round(seconds * _NANO),
        )


class _Trouble(logging.Handler):
    """Keeps the first complaint, and keeps all of them off the screen, where something else is drawn meanwhile."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or clean(record.getMessage(), limit=200)


def _about(model: str) -> dict[str, str]:
    """Who was asked, in the conventions' words: `openai/gpt-5.4-mini` is provider and model."""
    provider, _, name = model.partition("/")
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider or "unknown",
        "gen_ai.request.model": name or "unknown",
    }


def _exporting(signals: tuple[str, ...], environment: Mapping[str, str]) -> tuple[Any, Any]:
    """Providers that send the signals by OTLP, each where it is named, and the others nowhere. Raises ImportError."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    patience = None if "OTEL_EXPORTER_OTLP_TIMEOUT" in environment else _PATIENCE_S
    resource = Resource.create({"service.name": environment.get("OTEL_SERVICE_NAME", "smelt")})
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    if "TRACES" in signals:
        traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=patience)))
    readers = [PeriodicExportingMetricReader(OTLPMetricExporter(timeout=patience))] if "METRICS" in signals else []
    return traces, MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
