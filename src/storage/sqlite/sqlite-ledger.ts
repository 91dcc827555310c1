import Sqlite from 'better-sqlite3'
import type { SigningOperation } from '../../keys/key-custody.js'
import type { KeyStanding, Ledger, LedgerFacts } from '../../keys/process/ledger.js'
import {
  AUTHORISATION_COLUMNS,
  AUTHORISATION_TABLES,
  KEY_STANDING,
  keyStanding,
  ledgerFacts,
  ROW_COLUMNS,
  type StoredAuthorisation,
  type StoredRow,
  type StoredStanding,
} from '../ledger-facts.js'

/** The ledger in a SQLite file, which is opened when it is first needed and never written to. */
export class SqliteLedger implements Ledger {
  readonly #file: string
  #statements: ReturnType<typeof prepare> | null = null

  constructor(file: string) {
    this.#file = file
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures become rejections
  async read(operations: readonly SigningOperation[]): Promise<readonly LedgerFacts[]> {
    const { database, row, authorisation } = this.#open()
    return database.transaction(() =>
      operations.map((operation) =>
        ledgerFacts(
          operation,
          (id) => row.get(id),
          (id) => authorisation.get(id),
        ),
      ),
    )()
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures become rejections
  async keyStanding(keyId: string): Promise<KeyStanding> {
    return keyStanding(this.#open().standing.get({ keyId }))
  }

  close(): Promise<void> {
    this.#statements?.database.close()
    return Promise.resolve()
  }

  #open() {
    this.#statements ??= prepare(this.#file)
    return this.#statements
  }
}

function prepare(file: string) {
  const database = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: 2_000 })
  return {
    database,
    row: database.prepare<[string], StoredRow>(
      `SELECT ${ROW_COLUMNS} FROM "AuthorisedDigest" WHERE "id" = ?`,
    ),
    authorisation: database.prepare<[string], StoredAuthorisation>(
      `SELECT ${AUTHORISATION_COLUMNS} FROM ${AUTHORISATION_TABLES} WHERE a."id" = ?`,
    ),
    standing: database.prepare<[{ keyId: string }], StoredStanding>(KEY_STANDING('@keyId')),
  }
}
