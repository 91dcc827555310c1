import Sqlite from 'better-sqlite3'
import type { SigningOperation } from '../../keys/key-custody.js'
import type { WrappedKeyRecord } from '../../keys/hsm-wrapped.js'
import type { KeyStanding, Ledger, LedgerFacts } from '../../keys/process/ledger.js'
import {
  AUTHORISATION_COLUMNS,
  AUTHORISATION_TABLES,
  KEY_STANDING,
  keyStanding,
  LedgerReading,
  ROW_COLUMNS,
  type StoredAuthorisation,
  type StoredRow,
  type StoredStanding,
} from '../ledger-facts.js'
import { WRAPPED_KEY, wrappedKeyRecord, type StoredWrappedKey } from '../wrapped-key.js'

/** The ledger in a SQLite file, which is opened when it is first needed and never written to. */
export class SqliteLedger implements Ledger {
  readonly #file: string
  readonly #reading = new LedgerReading()
  #statements: ReturnType<typeof prepare> | null = null

  constructor(file: string) {
    this.#file = file
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures become rejections
  async read(operations: readonly SigningOperation[]): Promise<readonly LedgerFacts[]> {
    const { begin, commit, row, authorisation } = this.#open()
    begin.run()
    try {
      return operations.map((operation) =>
        this.#reading.facts(
          operation,
          (id) => row.get(id),
          (id) => authorisation.get(id),
        ),
      )
    } finally {
      commit.run()
    }
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures become rejections
  async keyStanding(keyId: string): Promise<KeyStanding> {
    return keyStanding(this.#open().standing.get({ keyId }))
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures become rejections
  async find(keyId: string): Promise<WrappedKeyRecord | null> {
    return wrappedKeyRecord(this.#open().wrapped.get({ keyId }))
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
    begin: database.prepare('BEGIN'),
    commit: database.prepare('COMMIT'),
    row: database.prepare<[string], StoredRow>(
      `SELECT ${ROW_COLUMNS} FROM "AuthorisedDigest" WHERE "id" = ?`,
    ),
    authorisation: database.prepare<[string], StoredAuthorisation>(
      `SELECT ${AUTHORISATION_COLUMNS} FROM ${AUTHORISATION_TABLES} WHERE a."id" = ?`,
    ),
    wrapped: database.prepare<[{ keyId: string }], StoredWrappedKey>(WRAPPED_KEY('@keyId')),
    standing: database.prepare<[{ keyId: string }], StoredStanding>(KEY_STANDING('@keyId')),
  }
}
