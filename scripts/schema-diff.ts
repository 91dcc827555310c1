/**
 * Prints the SQL that takes a database with all committed migrations applied to what prisma/models.prisma
 * describes, for SQLite and for PostgreSQL; says so when they agree. Works without Prisma's native engine.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3'
import { PrismaPg } from '@prisma/adapter-pg'
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils'
import type * as engineTypes from '@prisma/schema-engine-wasm/schema_engine_bg'
import Sqlite from 'better-sqlite3'
import pg from 'pg'
import { migrationFiles } from '../src/storage/migration-files.js'
import { openClient } from '../src/storage/postgresql/connection.js'
import { applyMigrations } from '../src/storage/sqlite/migrations.js'
import { PrivatePostgres } from '../test/support/postgresql.js'

type EngineModule = typeof engineTypes & {
  __wbg_set_wasm(exports: unknown): void
}

export async function sqliteDifference(): Promise<string> {
  const temporary = mkdtempSync(join(tmpdir(), 'openrssp-diff-'))
  try {
    const file = join(temporary, 'migrated.db')
    const database = new Sqlite(file)
    applyMigrations(database)
    database.close()
    return await difference('sqlite', new PrismaBetterSqlite3({ url: `file:${file}` }))
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/**
 * Prisma's Int ends at 2^31 in PostgreSQL, which a log of some thousand records a second reaches within
 * days: the migrations say BIGINT for each, and Prisma reads it as it is.
 * @param url of an empty database
 */
export async function postgresqlDifference(url: string): Promise<string> {
  const client = await openClient(url, 'schema')
  for (const { sql } of migrationFiles('postgresql')) {
    await client.query(sql.replaceAll('BIGINT', 'INTEGER'))
  }
  await client.end()
  const pool = catalogPool(url)
  try {
    const found = await difference('postgresql', new PrismaPg(pool))
    return found.replaceAll('INTEGER', 'BIGINT')
  } finally {
    await pool.end()
  }
}

/** The adapter does not know the type "char" (18) of PostgreSQL's own tables; as text (25) it reads it. */
function catalogPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url })
  const ask = pool.query.bind(pool) as (query: pg.QueryConfig) => Promise<pg.QueryResult>
  pool.query = (async (query: pg.QueryConfig) => {
    const result = await ask(query)
    for (const field of result.fields) if (field.dataTypeID === 18) field.dataTypeID = 25
    return result
  }) as typeof pool.query
  return pool
}

const JOURNAL = '_prisma_migrations'

async function difference(
  provider: 'sqlite' | 'postgresql',
  factory: SqlMigrationAwareDriverAdapterFactory,
): Promise<string> {
  engine ??= loadEngine()
  const engineModule = await engine
  const files = ['datasource.prisma', 'models.prisma'].map((name) => ({
    path: name,
    content: readFileSync(join('prisma', provider, name), 'utf8'),
  }))
  const schemaEngine = await engineModule.SchemaEngine.new(
    { datamodels: files.map(({ path, content }): [string, string] => [path, content]) },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(factory),
  )
  const result = await schemaEngine.diff({
    from: { tag: 'schemaDatasource', files, configDir: tmpdir() },
    to: { tag: 'schemaDatamodel', files },
    script: true,
    exitCode: null,
    shadowDatabaseUrl: null,
    filters: {
      externalTables: [provider === 'sqlite' ? JOURNAL : `public.${JOURNAL}`],
      externalEnums: [],
    },
  } as never)
  return (result.stdout ?? '').trim()
}

/** Once for the process: it keeps the memory of the first it was given. */
let engine: Promise<EngineModule> | null = null

async function loadEngine(): Promise<EngineModule> {
  const require = createRequire(import.meta.url)
  const folder = dirname(require.resolve('@prisma/schema-engine-wasm'))
  const engineModule = (await import(join(folder, 'schema_engine_bg.js'))) as EngineModule
  const wasm = new WebAssembly.Module(readFileSync(join(folder, 'schema_engine_bg.wasm')))
  const instance = new WebAssembly.Instance(wasm, {
    './schema_engine_bg.js': engineModule as unknown as WebAssembly.ModuleImports,
  })
  // The engine reports a panic through this global; without it the true cause is hidden.
  Object.assign(globalThis, {
    PRISMA_WASM_PANIC_REGISTRY: {
      set_message: (text: string) => {
        throw new Error(text)
      },
    },
  })
  engineModule.__wbg_set_wasm(instance.exports)
  ;(instance.exports['__wbindgen_start'] as (() => void) | undefined)?.()
  return engineModule
}

if (process.argv[1] === import.meta.filename) {
  const server = await PrivatePostgres.start()
  try {
    process.stdout.write(`-- SQLite\n${await sqliteDifference()}\n\n`)
    process.stdout.write(`-- PostgreSQL\n${await postgresqlDifference(server.url)}\n`)
  } finally {
    await server.stop()
  }
}
