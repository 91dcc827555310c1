import { empty, join, raw } from 'sql-template-tag'
import { change, committed, sql, sweep, type Database, type Statement } from './database.js'
import type { Prisma } from './prisma-client/client.js'

/** Rows of one write: those who sign meanwhile wait for no more than that. */
const BATCH = 500

/** So many rows as one write may touch. @param which of them, and in which order; any when absent */
export function someOf(
  table: Prisma.ModelName,
  key: string | readonly string[],
  which: Statement = empty,
): Statement {
  const columns = join([key].flat().map((name) => raw(`"${name}"`)))
  return sql`(${columns}) IN (
    SELECT ${columns} FROM ${raw(`"${table}"`)} ${which} LIMIT ${BATCH})`
}

/** Repeats a write on `someOf` until nothing is left to it, or until it is to stop. */
export async function inBatches(
  database: Database,
  statement: Statement,
  stopping?: AbortSignal,
): Promise<void> {
  const whole = { changes: [change(statement, BATCH)] }
  // A write that found a whole batch may have left more; the last one takes what there is.
  while (!stopping?.aborted && (await committed(database, whole)));
  if (!stopping?.aborted) await database.commit({ changes: [sweep(statement)] })
}
