import type { AttemptLimit, Throttle } from '../identity/throttle.js'
import {
  change,
  committed,
  dateOf,
  failedChange,
  sql,
  sweep,
  type Change,
  type Database,
  type StoredDate,
} from './database.js'

export class DatabaseThrottle implements Throttle {
  readonly #database: Database
  readonly #now: () => Date

  constructor(database: Database, now: () => Date) {
    this.#database = database
    this.#now = now
  }

  allow(key: string, limit: number, windowSeconds: number): Promise<boolean> {
    return committed(this.#database, { changes: [this.#count({ key, limit }, windowSeconds)] })
  }

  async firstExhausted(
    limits: readonly AttemptLimit[],
    windowSeconds: number,
  ): Promise<string | null> {
    const changes = limits.map((each) => this.#count(each, windowSeconds))
    const exhausted = await failedChange(this.#database, { changes })
    if (exhausted === null) return null
    // Nothing of it was counted; those before it still are.
    const before = limits.slice(0, exhausted)
    const earlier = before.length > 0 ? await this.firstExhausted(before, windowSeconds) : null
    return earlier ?? limits[exhausted]?.key ?? null
  }

  #count({ key, limit }: AttemptLimit, windowSeconds: number): Change {
    const now = this.#now()
    const windowEnd = new Date(now.getTime() + windowSeconds * 1000)
    return change(
      sql`INSERT INTO "Throttle" ("key", "count", "windowEnd") VALUES (${key}, 1, ${windowEnd})
              ON CONFLICT ("key") DO UPDATE SET
                "count" = CASE WHEN "Throttle"."windowEnd" <= ${now} THEN 1 ELSE "Throttle"."count" + 1 END,
                "windowEnd" = CASE WHEN "Throttle"."windowEnd" <= ${now} THEN ${windowEnd} ELSE "Throttle"."windowEnd" END
              WHERE "Throttle"."count" < ${limit} OR "Throttle"."windowEnd" <= ${now}`,
      1,
    )
  }

  async windowEnd(key: string): Promise<Date | null> {
    const [row] = await this.#database.rows<{ readonly windowEnd: StoredDate }>(
      sql`SELECT "windowEnd" FROM "Throttle" WHERE "key" = ${key}`,
    )
    const end = row ? dateOf(row.windowEnd) : null
    return end && end > this.#now() ? end : null
  }

  async clear(key: string, shared?: string): Promise<void> {
    const changes = [sweep(sql`DELETE FROM "Throttle" WHERE "key" = ${key}`)]
    if (shared !== undefined) {
      const oneLess = sql`UPDATE "Throttle" SET "count" = "count" - 1
                           WHERE "key" = ${shared} AND "count" > 0`
      changes.push(sweep(oneLess))
    }
    await this.#database.commit({ changes })
  }
}
