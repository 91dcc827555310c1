import type { IncomingHttpHeaders } from 'node:http'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node'
import { VERSION } from '../version.js'
import type { SpanFacts, Tracing } from './tracing.js'

/** Spans that wait for the collector; more are dropped, so that a slow one costs bounded memory. */
const SPANS_WAITING = 4096

export interface TracingSettings {
  /** Where spans go, OTLP over HTTP; by the environment variables of OpenTelemetry when absent. */
  readonly endpoint?: string
  /** Share of traces that is kept, from 0 to 1. */
  readonly sample: number
}

/**
 * Traces by OpenTelemetry. This module is loaded only where tracing is on. Nothing is registered globally:
 * several services may run in one process.
 */
export function openTracing({ endpoint, sample }: TracingSettings): Tracing {
  const share = new TraceIdRatioBasedSampler(sample)
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({
      'service.name': process.env['OTEL_SERVICE_NAME'] ?? 'openrssp',
      'service.version': VERSION,
    }),
    // Callers join their trace to ours; how many traces are kept is not theirs to decide.
    sampler: new ParentBasedSampler({ root: share, remoteParentSampled: share }),
    spanProcessors: [
      new BatchSpanProcessor(
        new OTLPTraceExporter(endpoint === undefined ? {} : { url: endpoint }),
        {
          maxQueueSize: SPANS_WAITING,
          exportTimeoutMillis: 10_000,
        },
      ),
    ],
  })
  return new OpenTelemetry(provider)
}

class OpenTelemetry implements Tracing {
  readonly #provider: NodeTracerProvider
  readonly #tracer
  readonly #contexts = new AsyncLocalStorageContextManager().enable()
  readonly #propagator = new W3CTraceContextPropagator()

  constructor(provider: NodeTracerProvider) {
    this.#provider = provider
    this.#tracer = provider.getTracer('openrssp')
  }

  request<T>(
    headers: IncomingHttpHeaders,
    facts: () => SpanFacts,
    work: () => Promise<T>,
  ): Promise<T> {
    const parent = this.#propagator.extract(ROOT_CONTEXT, headers, {
      get: (carrier, key) => (carrier as IncomingHttpHeaders)[key],
      keys: (carrier) => Object.keys(carrier as IncomingHttpHeaders),
    })
    const span = this.#tracer.startSpan('HTTP', { kind: SpanKind.SERVER }, parent)
    return this.#within(span, async () => {
      try {
        return await work()
      } finally {
        const known = facts()
        span.setAttributes(known)
        span.updateName(`${known['http.request.method']} ${known['http.route']}`)
        if (Number(known['http.response.status_code']) >= 500) {
          span.setStatus({ code: SpanStatusCode.ERROR })
        }
      }
    })
  }

  span<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#within(this.#tracer.startSpan(name, {}, this.#contexts.active()), work)
  }

  ended(name: string, seconds: number, ago = 0): void {
    const parent = this.#contexts.active()
    if (trace.getSpan(parent) === undefined) return
    const end = performance.timeOrigin + performance.now() - ago * 1000
    const span = this.#tracer.startSpan(name, { startTime: end - seconds * 1000 }, parent)
    span.end(end)
  }

  outgoing(): Record<string, string> {
    const headers: Record<string, string> = {}
    this.#propagator.inject(this.#contexts.active(), headers, {
      set: (carrier, key, value) => {
        ;(carrier as Record<string, string>)[key] = value
      },
    })
    return headers
  }

  logFields(): Record<string, string> {
    const context = trace.getSpan(this.#contexts.active())?.spanContext()
    return context ? { traceId: context.traceId, spanId: context.spanId } : {}
  }

  async close(): Promise<void> {
    await this.#provider.shutdown().catch(() => undefined) // a collector that is gone stops nothing
  }

  /** Of a failure the span tells that it was one, and its class: messages may quote what was sent. */
  async #within<T>(span: Span, work: () => Promise<T>): Promise<T> {
    const context = trace.setSpan(this.#contexts.active(), span)
    try {
      return await this.#contexts.with(context, work)
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR })
      span.setAttribute('error.type', error instanceof Error ? error.name : 'unknown')
      throw error
    } finally {
      span.end()
    }
  }
}
