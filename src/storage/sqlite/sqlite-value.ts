import type { Value } from '../database.js'
import type { SqliteValue } from './writer-protocol.js'

/** Dates take the form Prisma writes, so that text compares like time. */
export function sqliteValue(value: Value): SqliteValue {
  if (value instanceof Date) return value.toISOString().replace('Z', '+00:00')
  if (typeof value === 'boolean') return value ? 1 : 0
  return value
}
