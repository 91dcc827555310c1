import { destination as destinationAt, pino, type DestinationStream, type Logger } from 'pino'
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
  destination: DestinationStream = standardOutput(),
): Logger {
  const options = {
    ...{ level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    mixin: () => ({ ...tracing.logFields() }),
    redact: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  }
  return pino(options, destination)
}

/** Lines that wait to be written; what does not fit in is dropped. */
const MOST_WAITING_BYTES = 1024 * 1024

/**
 * It may lead to a disk that is full (S103). Lines then wait, and requests do not: left to itself, the
 * writer ends the process over a line it cannot write, and tries for ever to write it as the process ends.
 */
function standardOutput(): DestinationStream {
  const lines = destinationAt({ dest: 1, maxLength: MOST_WAITING_BYTES })
  const writeRest = lines.flushSync.bind(lines)
  lines.on('error', () => (lines.flushSync = () => undefined))
  lines.on('write', () => (lines.flushSync = writeRest))
  return lines
}
