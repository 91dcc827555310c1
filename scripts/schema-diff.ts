/**
 * Prints the SQL that takes a database with all committed migrations applied to what prisma/models.prisma
 * describes; prints nothing when they agree. Works without Prisma's native engine.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3'
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils'
import type * as engineTypes from '@prisma/schema-engine-wasm/schema_engine_bg'
import Sqlite from 'better-sqlite3'
import { applyMigrations } from '../src/storage/sqlite/migrations.js'

type EngineModule = typeof engineTypes & {
  __wbg_set_wasm(exports: unknown): void
}

export async function schemaDifference(): Promise<string> {
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

  const temporary = mkdtempSync(join(tmpdir(), 'openrssp-diff-'))
  try {
    const file = join(temporary, 'migrated.db')
    const database = new Sqlite(file)
    applyMigrations(database)
    database.close()
    const factory = bindMigrationAwareSqlAdapterFactory(
      new PrismaBetterSqlite3({ url: `file:${file}` }),
    )
    const files = ['datasource.prisma', 'models.prisma'].map((name) => ({
      path: name,
      content: readFileSync(join('prisma/sqlite', name), 'utf8'),
    }))
    const engine = await engineModule.SchemaEngine.new(
      { datamodels: files.map(({ path, content }): [string, string] => [path, content]) },
      () => undefined,
      factory,
    )
    const result = await engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: temporary },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: null,
      shadowDatabaseUrl: null,
      filters: { externalTables: ['_prisma_migrations'], externalEnums: [] },
    } as never)
    return (result.stdout ?? '').trim()
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

if (process.argv[1] === import.meta.filename) {
  process.stdout.write(`${await schemaDifference()}\n`)
}
