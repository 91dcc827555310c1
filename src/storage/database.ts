import sql, { join, raw, type Sql } from 'sql-template-tag'
import type { AuditEvent } from '../audit/events.js'
import type { Prisma, PrismaClient } from './prisma-client/client.js'

/** Parameterised SQL; its text never holds a value. */
export type Statement = Sql

/** A write, and how many rows it must touch for the unit it is part of to stand. */
export interface Change {
  readonly statement: Statement
  readonly rows?: number
}

/** Writes that stand or fall together, with the audit records of what they mean. */
export interface Unit {
  readonly changes: readonly Change[]
  readonly audit?: readonly AuditEvent[]
  /** Whether it ends what is on record as begun: then it is never turned away for lack of room. */
  readonly concludes?: boolean
}

/** A demanded row count was not met, or a unique value was taken: nothing of the unit was kept. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError'
  /** Index of the change that failed. */
  readonly change: number
  constructor(change: number) {
    super(`Change ${change} did not touch the rows it had to`)
    this.change = change
  }
}

/**
 * The one way to the database. Reading goes through Prisma on a connection that cannot write; every
 * write goes through `commit`, so no request's rollback can undo another's acknowledged write.
 */
export interface Database {
  readonly read: PrismaClient
  /**
   * Rows as the database states them, by a statement prepared once: for what every signature needs,
   * where Prisma costs more than the reading. Times come as the database keeps them, see `dateOf`.
   */
  rows<Row>(statement: Statement): Promise<Row[]>
  /**
   * Applies the unit and its audit records atomically. Resolves only when they are on disk; units of
   * concurrent callers share one disk flush but not their fate.
   * @throws {ConflictError} when a row count differs or a unique value is taken
   * @throws {StorageUnavailableError} when the database cannot be written
   */
  commit(unit: Unit): Promise<void>
  close(): Promise<void>
}

export type Value = string | number | boolean | Date | Uint8Array | null

export { sql }

/** A table of texts, whose columns both databases call `column1` and so on. */
export function valuesOf(rows: readonly (readonly (string | null)[])[]): Statement {
  return sql`VALUES ${join(rows.map((row) => sql`(${join([...row])})`))}`
}

/** Values to be found among, made up to a power of two: each length is a statement prepared by itself. */
export function listOf(values: readonly string[]): Statement {
  const places = 2 ** Math.ceil(Math.log2(values.length))
  const last = values.at(-1) ?? ''
  return join([...values, ...Array<string>(places - values.length).fill(last)])
}

/** A time as `rows` returns it: text in SQLite, a Date elsewhere. */
export type StoredDate = string | Date

export function dateOf(value: StoredDate | null): Date | null {
  return typeof value === 'string' ? new Date(value) : value
}

/** `INSERT` of one row; fails as a conflict when a unique value is taken. */
export function insert(table: Prisma.ModelName, row: Readonly<Record<string, Value>>): Change {
  const columns = Object.keys(row).map((name) => raw(`"${name}"`))
  const statement = sql`INSERT INTO ${raw(`"${table}"`)} (${join(columns)}) VALUES (${join(Object.values(row))})`
  return { statement, rows: 1 }
}

/** A write that must touch exactly `rows` rows. */
export function change(statement: Statement, rows: number): Change {
  return { statement, rows }
}

/** A write that may touch any number of rows. */
export function sweep(statement: Statement): Change {
  return { statement }
}

/** Commits the unit and tells whether it stood; every other failure is thrown. */
export async function committed(database: Database, unit: Unit): Promise<boolean> {
  return (await failedChange(database, unit)) === null
}

/** Commits the unit. @returns index of the change it failed by; null when it stood */
export async function failedChange(database: Database, unit: Unit): Promise<number | null> {
  try {
    await database.commit(unit)
    return null
  } catch (error) {
    if (error instanceof ConflictError) return error.change
    throw error
  }
}
