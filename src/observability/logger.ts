import { pino, type Logger } from 'pino'
import type { LogLevel } from '../config/schema.js'

export type { Logger }

/** JSON lines on standard output. Bodies, headers and queries are never passed to it. */
export function createLogger(level: LogLevel): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime })
}
