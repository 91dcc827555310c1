import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PACKAGE } from '../package-files.js'

const PRISMA = join(PACKAGE, 'prisma')

export interface MigrationFile {
  readonly name: string
  readonly sql: string
  /** SHA-256, hexadecimal, as `prisma migrate` records it. */
  readonly checksum: string
}

/** The committed migrations of a provider, in the order in which they apply. */
export function migrationFiles(provider: 'sqlite' | 'postgresql'): MigrationFile[] {
  const folder = join(PRISMA, provider, 'migrations')
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .map((name) => {
      const sql = readFileSync(join(folder, name, 'migration.sql'), 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    })
}

/**
 * Those that are still to be applied.
 * @param recorded checksums by name
 * @throws when one of them was changed after it was applied
 */
export function missingMigrations(
  files: readonly MigrationFile[],
  recorded: ReadonlyMap<string, string>,
): MigrationFile[] {
  return files.filter(({ name, checksum }) => {
    const known = recorded.get(name)
    if (known !== undefined && known !== checksum) {
      throw new Error(`Migration ${name} was changed after it was applied`)
    }
    return known === undefined
  })
}
