import type { Config } from '../config/schema.js'
import { Metrics } from './metrics.js'
import { MeasuredSteps, NO_TRACING, type Steps, type Tracing } from './tracing.js'

/** How what happens inside is seen from outside. */
export interface Observation {
  readonly metrics: Metrics
  readonly tracing: Tracing
  readonly steps: Steps
}

export async function openObservation(config: Pick<Config, 'tracing'>): Promise<Observation> {
  const metrics = new Metrics()
  const tracing = await tracingOf(config)
  return { metrics, tracing, steps: new MeasuredSteps({ metrics, tracing }) }
}

const NAMED_BY_ENVIRONMENT = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']

/** OpenTelemetry is loaded only where it is wanted. */
async function tracingOf({ tracing }: Pick<Config, 'tracing'>): Promise<Tracing> {
  const isNamed = NAMED_BY_ENVIRONMENT.some((name) => process.env[name])
  if (process.env['OTEL_SDK_DISABLED'] === 'true' || (!tracing && !isNamed)) return NO_TRACING
  const { openTracing } = await import('./opentelemetry.js')
  return openTracing(tracing ?? { sample: 1 })
}
