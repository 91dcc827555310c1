import pg from 'pg'
import { StorageUnavailableError } from '../../errors.js'
import type { Value } from '../database.js'

/** A server that does not answer counts as stopped. */
export const CONNECT_MS = 3000
export const STATEMENT_MS = 5000
/** A writer that sleeps in the middle of a transaction loses it, and with it the lock others wait for. */
const ASLEEP_MS = 2000
const LOCK_MS = 4000
/** So soon a connection that died while idle says so. */
export const AT_ONCE_MS = 2000

/** Times are read as ISO 8601: in another style day and month of what expires would change places. */
const SPELLING = `SET datestyle = 'ISO'`
const READING = `${SPELLING}; SET default_transaction_read_only = on; SET statement_timeout = ${STATEMENT_MS};
  SET idle_in_transaction_session_timeout = ${STATEMENT_MS}`
/**
 * What is few and prepared is planned once, to look rows up by their keys: planning takes longer than
 * that, and a plan that was made while a table was small is kept for a while.
 */
const PLANNED_ONCE = `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off`
const WRITING = `${SPELLING}; SET default_transaction_isolation = 'read committed'; SET lock_timeout = ${LOCK_MS};
  SET statement_timeout = ${STATEMENT_MS}; SET idle_in_transaction_session_timeout = ${ASLEEP_MS}`

function settings(url: string, purpose: string): pg.ClientConfig {
  return {
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    fallback_application_name: `openrssp ${purpose}`,
  }
}

/** A connection with no limits of its own; its losses are told to whoever uses it. */
export async function openClient(url: string, purpose: string): Promise<pg.Client> {
  const client = new pg.Client(settings(url, purpose))
  // Without a listener, a connection lost while idle would end the process.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/**
 * Opens a connection whose commits are on disk before they are answered; PostgreSQL can be told to
 * answer earlier, so that is read back every time.
 */
export async function openWriter(url: string): Promise<pg.Client> {
  const client = await openClient(url, 'writer')
  try {
    await client.query(`${WRITING}; ${PLANNED_ONCE}`)
    await demandDurability(client)
    return client
  } catch (error) {
    client.connection.stream.destroy()
    throw error
  }
}

/** One connection that cannot write. */
export async function openReader(url: string): Promise<pg.Client> {
  const client = await openClient(url, 'reader')
  await client.query(`${READING}; ${PLANNED_ONCE}`)
  return client
}

/** Commits that wait for the disk of a standby as well are stronger, and left as they are. */
const DURABLE = ['on', 'remote_apply']

async function demandDurability(client: pg.Client): Promise<void> {
  if (!DURABLE.includes(await setting(client, 'synchronous_commit'))) {
    await client.query('SET synchronous_commit = on')
  }
  if (!DURABLE.includes(await setting(client, 'synchronous_commit'))) {
    throw new StorageUnavailableError('PostgreSQL did not accept synchronous_commit=on')
  }
  for (const name of ['fsync', 'full_page_writes']) {
    if ((await setting(client, name)) === 'on') continue
    throw new StorageUnavailableError(
      `PostgreSQL runs with ${name}=off and can lose what it answered`,
    )
  }
  if ((await setting(client, 'transaction_read_only')) === 'on') {
    throw new StorageUnavailableError('PostgreSQL accepts no writes here: a standby, perhaps')
  }
}

async function setting(client: pg.Client, name: string): Promise<string> {
  const { rows } = await client.query<{ value: string }>('SELECT current_setting($1) AS value', [
    name,
  ])
  return rows[0]?.value ?? ''
}

/** Connections that cannot write: the database itself refuses it. */
export function readingPool(url: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    ...settings(url, 'reader'),
    max,
    query_timeout: STATEMENT_MS,
    onConnect: (client) => client.query(READING) as unknown,
  })
  pool.on('error', () => undefined)
  const ask = pool.query.bind(pool) as (query: Query) => Promise<pg.QueryResult>
  // Counts how often what was prepared had to be prepared anew.
  let generation = 0
  const send = (query: Query): Promise<pg.QueryResult> => {
    const { name, values } = query
    return ask({
      ...query,
      ...(name ? { name: `${name}_${generation}` } : {}),
      ...(values ? { values: values.map(storableValue) } : {}),
    })
  }
  // All that Prisma asks passes here: it hands over one object and waits for a promise.
  pool.query = (async (query: Query) => {
    const start = performance.now()
    for (let repeats = 0; ; repeats += 1) {
      try {
        return await send(query)
      } catch (error) {
        // A connection that died while idle says so to whoever uses it first, and all of them may have:
        // the pool forgets one each time. Reading again is safe.
        const isFresh = performance.now() - start < AT_ONCE_MS
        const isWorthIt = isOutdated(error) || (isFresh && isLostConnection(error))
        if (isWorthIt && repeats < max) {
          if (isOutdated(error)) generation += 1
          continue
        }
        if (isQueryFault(error)) throw error
        const why = error instanceof Error ? error.message : String(error)
        throw new StorageUnavailableError(why, { cause: error })
      }
    }
  }) as typeof pool.query
  return pool
}

type Query = pg.QueryConfig<unknown[]>

function storableValue(value: unknown): unknown {
  return typeof value === 'string' ? storable(value) : value
}

/** A newer version of us has added a column since the statement was prepared. */
export function isOutdated(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '0A000'
}

/** The server understood and refused: data, syntax, rights, or a constraint. */
export function isQueryFault(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(0A|22|23|25006|2F|42)/.test(error.code ?? '')
}

/** The connection is gone, and what was not committed with it. */
export function isLostConnection(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return true
  return /^(08|57P0[1-5]|25P03|58)/.test(error.code ?? '')
}

/** PostgreSQL keeps no NUL in text; it becomes what half a surrogate pair becomes in UTF-8. */
function storable(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text
}

/** An array is a column of texts: one statement for any number of rows. */
export type Parameter = Value | readonly string[]

/** As PostgreSQL reads it; times in UTC, for columns without a zone. */
export function parameter(value: Parameter): string | Buffer | null {
  if (value === null) return null
  if (isColumn(value)) return `{${value.map(element).join(',')}}`
  if (typeof value === 'string') return storable(value)
  if (typeof value === 'number') return String(value)
  if (typeof value === 'boolean') return value ? 't' : 'f'
  if (value instanceof Date) return value.toISOString().slice(0, -1)
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function isColumn(value: Parameter): value is readonly string[] {
  return Array.isArray(value)
}

/** In PostgreSQL's notation of arrays. */
function element(text: string): string {
  return `"${storable(text).replace(/["\\]/g, '\\$&')}"`
}

/** Object identifiers of types, as PostgreSQL numbers them. */
const INT8 = 20
const TIMESTAMP = 1114

/** Times have no zone in the database: they are UTC. Counts are numbers. */
export const COLUMN_TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary'): unknown => {
    if (format === 'binary') return pg.types.getTypeParser(oid, format)
    if (oid === TIMESTAMP) return (text: string) => new Date(`${text}Z`)
    if (oid === INT8) return Number
    return pg.types.getTypeParser(oid, 'text')
  }) as typeof pg.types.getTypeParser,
}
