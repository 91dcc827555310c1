import type pg from 'pg'
import type { AuditRecord } from '../../audit/chain.js'
import { COLUMN_TYPES, openReader } from './connection.js'

const PAGE = 1000

/** Reads the log as it stands in the database, writing nothing: for verifying one that may not be trusted. */
export class PostgresqlAuditReader {
  readonly #client: pg.Client

  private constructor(client: pg.Client) {
    this.#client = client
  }

  static async open(url: string): Promise<PostgresqlAuditReader> {
    return new PostgresqlAuditReader(await openReader(url))
  }

  async *read(): AsyncIterable<AuditRecord> {
    for (let after = Number.MIN_SAFE_INTEGER; ;) {
      const { rows } = await this.#client.query<AuditRecord>({
        text: `SELECT "seq", "at", "event", "detail", "prevHash", "hash" FROM "AuditRecord"
                WHERE "seq" > $1 ORDER BY "seq" LIMIT ${PAGE}`,
        values: [after],
        types: COLUMN_TYPES,
      })
      yield* rows
      const last = rows.at(-1)
      if (!last || rows.length < PAGE) return
      after = last.seq
    }
  }

  async close(): Promise<void> {
    await this.#client.end()
  }
}
