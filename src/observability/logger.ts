import { pino, type Logger } from 'pino'
import type { LogLevel } from '../config/schema.js'
import { NO_TRACING, type Tracing } from './tracing.js'

export type { Logger }

/**
 * JSON lines on standard output. Bodies, headers and queries are never passed to it. Within a traced
 * request every line names trace and span.
 */
export function createLogger(level: LogLevel, { logFields }: Tracing = NO_TRACING): Logger {
  return pino({
    ...{ level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    mixin: () => logFields(),
  })
}
