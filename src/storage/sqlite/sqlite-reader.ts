import Sqlite from 'better-sqlite3'
import { StorageUnavailableError } from '../../errors.js'
import type { Statement, Value } from '../database.js'
import { sqliteValue } from './sqlite-value.js'

/**
 * Reads by prepared statements on a connection that cannot write. A look-up by an index takes some
 * microseconds and waits for no writer, so it is done where it is asked for, without a thread.
 */
export class SqliteReader {
  readonly #database: Sqlite.Database
  readonly #statements = new Map<string, Sqlite.Statement<unknown[]>>()

  constructor(file: string) {
    this.#database = new Sqlite(file, { readonly: true, fileMustExist: true })
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a failure is a rejection
  async rows<Row>(statement: Statement): Promise<Row[]> {
    const values = statement.values.map((value) => sqliteValue(value as Value))
    try {
      return this.#prepared(statement.sql).all(...values) as Row[]
    } catch (error) {
      throw new StorageUnavailableError(error instanceof Error ? error.message : String(error))
    }
  }

  close(): void {
    this.#database.close()
  }

  #prepared(sql: string): Sqlite.Statement<unknown[]> {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}
