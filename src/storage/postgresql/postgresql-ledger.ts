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
import type { Parameter } from './connection.js'
import { Reader } from './reader.js'

const ROWS = `SELECT ${ROW_COLUMNS} FROM "AuthorisedDigest" WHERE "id" = ANY($1)`
const AUTHORISATIONS = `
  SELECT ${AUTHORISATION_COLUMNS} FROM ${AUTHORISATION_TABLES}
   WHERE a."id" IN (SELECT "authorisationId" FROM "AuthorisedDigest" WHERE "id" = ANY($1))`

const CONNECTIONS = 2

/** The ledger in PostgreSQL, over connections of its own that cannot write. */
export class PostgresqlLedger implements Ledger {
  readonly #reader: Reader
  readonly #reading = new LedgerReading()

  constructor(url: string) {
    this.#reader = new Reader(url, CONNECTIONS)
  }

  async read(operations: readonly SigningOperation[]): Promise<readonly LedgerFacts[]> {
    const ids = operations.flatMap(({ rows }) => rows)
    // Together they are as of one moment only in one statement: the rows come last, and decide.
    const values = [ids]
    const [authorisations, rows] = (await this.#reader.ask([
      { text: AUTHORISATIONS, values },
      { text: ROWS, values },
    ])) as unknown as [StoredAuthorisation[], StoredRow[]]
    const rowOf = new Map(rows.map((row) => [row.id, row]))
    const authorisationOf = new Map(authorisations.map((each) => [each.authorisationId, each]))
    return operations.map((operation) =>
      this.#reading.facts(
        operation,
        (id) => rowOf.get(id),
        (id) => authorisationOf.get(id),
      ),
    )
  }

  async keyStanding(keyId: string): Promise<KeyStanding> {
    const [row] = await this.#ask<StoredStanding>(KEY_STANDING('$1'), keyId)
    return keyStanding(row)
  }

  async find(keyId: string): Promise<WrappedKeyRecord | null> {
    const [row] = await this.#ask<StoredWrappedKey>(WRAPPED_KEY('$1'), keyId)
    return wrappedKeyRecord(row)
  }

  async close(): Promise<void> {
    await this.#reader.close()
  }

  async #ask<Row>(text: string, value: Parameter): Promise<Row[]> {
    const [rows = []] = await this.#reader.ask([{ text, values: [value] }])
    return rows as Row[]
  }
}
