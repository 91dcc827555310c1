import Sqlite from 'better-sqlite3'
import type { AuditRecord } from '../../audit/chain.js'

/** Reads the log as it lies in the file, writing nothing: for verifying one that may not be trusted. */
export class SqliteAuditReader {
  readonly #database: Sqlite.Database

  constructor(file: string) {
    this.#database = new Sqlite(file, { readonly: true, fileMustExist: true })
  }

  read(): IterableIterator<AuditRecord> {
    return this.#database
      .prepare<[], AuditRecord>(
        'SELECT seq, at, event, detail, prevHash, hash FROM AuditRecord ORDER BY seq',
      )
      .iterate()
  }

  close(): void {
    this.#database.close()
  }
}
