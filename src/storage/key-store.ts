import type { AuditEvent } from '../audit/events.js'
import type { KeyAlgorithm } from '../keys/algorithms.js'
import type { GeneratedKey } from '../keys/key-custody.js'
import type { Custody } from '../keys/key-id.js'
import type { KeyState, KeyStore, UnownedKey } from '../keys/key-register.js'
import {
  change,
  committed,
  insert,
  sql,
  sweep,
  type Change,
  type Database,
  type Statement,
} from './database.js'
import type { HsmKeyModel } from './prisma-client/models/HsmKey.js'

/** Keys made ahead that are looked at before all are taken to be gone. */
const CANDIDATES = 20

export class DatabaseKeyStore implements KeyStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async intend(key: { keyId: string; algorithm: KeyAlgorithm; abandonedAt: Date }): Promise<void> {
    await this.#database.commit({ changes: [insert('HsmKey', { ...key, state: 'intended' })] })
  }

  made(key: GeneratedKey, state: 'made' | 'spare', abandonedAt: Date): Promise<boolean> {
    const until = state === 'spare' ? null : abandonedAt
    const publicKey = key.publicKey.toString('base64')
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "HsmKey" SET "state" = ${state}, "publicKey" = ${publicKey},
                     "wrapped" = ${key.wrapped ?? null}, "abandonedAt" = ${until}
               WHERE "keyId" = ${key.keyId} AND "state" = 'intended'`,
          1,
        ),
      ],
    })
  }

  async takeSpare(
    algorithm: KeyAlgorithm,
    custody: Custody,
    abandonedAt: Date,
  ): Promise<GeneratedKey | null> {
    const candidates = await this.#database.rows<HsmKeyModel>(
      sql`SELECT * FROM "HsmKey" WHERE ${isSpare(algorithm, custody)} LIMIT ${CANDIDATES}`,
    )
    // Others look at the same ones: who begins anywhere meets them seldom.
    const first = Math.floor(Math.random() * candidates.length)
    for (const { keyId, publicKey, wrapped } of rotated(candidates, first)) {
      const taken = await committed(this.#database, {
        changes: [
          change(
            sql`UPDATE "HsmKey" SET "state" = 'made', "abandonedAt" = ${abandonedAt}
                 WHERE "keyId" = ${keyId} AND "state" = 'spare'`,
            1,
          ),
        ],
      })
      if (!taken) continue
      const key = { keyId, publicKey: Buffer.from(publicKey ?? '', 'base64') }
      return wrapped === null ? key : { ...key, wrapped }
    }
    return null
  }

  async countSpare(algorithm: KeyAlgorithm, custody: Custody): Promise<number> {
    const [row] = await this.#database.rows<{ spare: number | bigint }>(
      sql`SELECT COUNT(*) AS "spare" FROM "HsmKey" WHERE ${isSpare(algorithm, custody)}`,
    )
    return Number(row?.spare ?? 0)
  }

  async findAbandoned(now: Date, most: number): Promise<UnownedKey[]> {
    return this.#database.rows<{ keyId: string; state: KeyState }>(sql`
      SELECT "keyId", "state" FROM "HsmKey"
       WHERE "state" = 'ending' OR ("state" IN ('intended', 'made') AND "abandonedAt" < ${now})
       LIMIT ${most}`)
  }

  beginEnd({ keyId, state }: UnownedKey, now: Date | null): Promise<boolean> {
    const abandoned =
      now === null
        ? sql`UPDATE "HsmKey" SET "state" = 'ending', "wrapped" = NULL
               WHERE "keyId" = ${keyId} AND "state" = ${state}`
        : sql`UPDATE "HsmKey" SET "state" = 'ending', "wrapped" = NULL
               WHERE "keyId" = ${keyId} AND "state" = ${state} AND "abandonedAt" < ${now}`
    return committed(this.#database, { changes: [change(abandoned, 1)] })
  }

  async forget(keyId: string, audit: readonly AuditEvent[]): Promise<void> {
    const statement = sql`DELETE FROM "HsmKey" WHERE "keyId" = ${keyId} AND "state" = 'ending'`
    await committed(this.#database, { changes: [change(statement, 1)], audit })
  }

  async listResident(after: string, most: number) {
    // In the order of the names, and not by the state that a million wrapped keys have as well.
    const rows = await this.#database.rows<{ keyId: string; missing: number | bigint }>(sql`
      SELECT "keyId", CASE WHEN "missingSince" IS NULL THEN 0 ELSE 1 END AS "missing" FROM "HsmKey"
       WHERE "keyId" > ${after} AND "keyId" < ${FIRST_WRAPPED} AND ("state" || '') = 'owned'
       ORDER BY "keyId" LIMIT ${most}`)
    return rows.map(({ keyId, missing }) => ({ keyId, isMissing: Number(missing) === 1 }))
  }

  async listWrapped(most: number): Promise<string[]> {
    const rows = await this.#database.rows<{ keyId: string }>(sql`
      SELECT "keyId" FROM "HsmKey"
       WHERE "keyId" >= ${FIRST_WRAPPED} AND ("state" || '') = 'owned' ORDER BY "keyId" LIMIT ${most}`)
    return rows.map(({ keyId }) => keyId)
  }

  async flagMissing(
    keyId: string,
    since: Date | null,
    audit: readonly AuditEvent[],
  ): Promise<void> {
    const flagged = sql`UPDATE "HsmKey" SET "missingSince" = ${since}
                         WHERE "keyId" = ${keyId} AND "state" = 'owned'`
    await committed(this.#database, { changes: [change(flagged, 1)], audit })
  }
}

/** A new key becomes somebody's, in the unit that says whose; one that was given up does not. */
export function ownKey(keyId: string, wrapped: string | null): Change {
  return change(
    sql`UPDATE "HsmKey" SET "state" = 'owned', "abandonedAt" = NULL, "wrapped" = ${wrapped}
         WHERE "keyId" = ${keyId} AND "state" = 'made'`,
    1,
  )
}

/** The key of a credential is to end; from now on nothing brings a wrapped one back (S18). */
export function endKeyOf(credentialId: string): Change {
  return sweep(
    sql`UPDATE "HsmKey" SET "state" = 'ending', "wrapped" = NULL
         WHERE "state" = 'owned' AND "keyId" = (
           SELECT "keyId" FROM "Credential" WHERE "id" = ${credentialId})`,
  )
}

/** Names of resident keys are hexadecimal, those of wrapped keys begin with this. */
const FIRST_WRAPPED = 'w'

function isSpare(algorithm: KeyAlgorithm, custody: Custody): Statement {
  const named =
    custody === 'wrapped' ? sql`"keyId" >= ${FIRST_WRAPPED}` : sql`"keyId" < ${FIRST_WRAPPED}`
  return sql`"state" = 'spare' AND "algorithm" = ${algorithm} AND ${named}`
}

function rotated<T>(list: readonly T[], first: number): T[] {
  return [...list.slice(first), ...list.slice(0, first)]
}
