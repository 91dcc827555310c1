import { pino, type DestinationStream, type Logger } from 'pino'
import type { LogLevel } from '../config/schema.js'
import { NO_TRACING, type Tracing } from './tracing.js'

export type { Logger }

/**
 * Members of errors, of libraries too, in which others put what was sent. Nothing of ours passes secrets to
 * the logger; this is the net below that.
 */
const SECRETS = [
  ...['password', 'pin', 'otp', 'SAD', 'token', 'access_token', 'refresh_token', 'client_secret'],
  ...['authorization', 'cookie', 'headers', 'body', 'form', 'config', 'request', 'response'],
]

/**
 * JSON lines on standard output. Bodies, headers and queries are never passed to it. Within a traced
 * request every line names trace and span.
 */
export function createLogger(
  level: LogLevel,
  tracing: Tracing = NO_TRACING,
  destination?: DestinationStream,
): Logger {
  const options = {
    ...{ level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    mixin: () => ({ ...tracing.logFields() }),
    redact: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  }
  return destination ? pino(options, destination) : pino(options)
}
