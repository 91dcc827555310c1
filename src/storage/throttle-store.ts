import type { Throttle } from '../identity/throttle.js'
import { change, committed, sql, sweep, type Database } from './database.js'

export class DatabaseThrottle implements Throttle {
  readonly #database: Database
  readonly #now: () => Date

  constructor(database: Database, now: () => Date) {
    this.#database = database
    this.#now = now
  }

  allow(key: string, limit: number, windowSeconds: number): Promise<boolean> {
    const now = this.#now()
    const windowEnd = new Date(now.getTime() + windowSeconds * 1000)
    return committed(this.#database, {
      changes: [
        change(
          sql`INSERT INTO "Throttle" ("key", "count", "windowEnd") VALUES (${key}, 1, ${windowEnd})
              ON CONFLICT ("key") DO UPDATE SET
                "count" = CASE WHEN "Throttle"."windowEnd" <= ${now} THEN 1 ELSE "Throttle"."count" + 1 END,
                "windowEnd" = CASE WHEN "Throttle"."windowEnd" <= ${now} THEN ${windowEnd} ELSE "Throttle"."windowEnd" END
              WHERE "Throttle"."count" < ${limit} OR "Throttle"."windowEnd" <= ${now}`,
          1,
        ),
      ],
    })
  }

  async windowEnd(key: string): Promise<Date | null> {
    const row = await this.#database.read.throttle.findUnique({ where: { key } })
    return row && row.windowEnd > this.#now() ? row.windowEnd : null
  }

  async clear(key: string): Promise<void> {
    await this.#database.commit({
      changes: [sweep(sql`DELETE FROM "Throttle" WHERE "key" = ${key}`)],
    })
  }
}
