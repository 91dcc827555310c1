import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/**
 * In which versions somebody read the scripts. npm takes versions in `allowScripts` only where the lock file
 * has the addresses of packages; ours has none, so that it is good with every registry.
 */
const SCRIPTS_READ = [
  '@prisma/engines@7.10.0',
  '@scarf/scarf@1.4.0',
  'better-sqlite3@12.11.1',
  'esbuild@0.28.2',
  'koffi@3.3.4',
  'pkcs11js@2.1.7',
  'prisma@7.10.0',
]

interface Locked {
  /** Of what is installed under another name than its own. */
  readonly name?: string
  readonly version?: string
  readonly integrity?: string
  readonly hasInstallScript?: boolean
}

describe('Dependencies (S113)', () => {
  const json = (file: string): unknown => JSON.parse(readFileSync(join(ROOT, file), 'utf8'))
  const { dependencies, devDependencies, allowScripts } = json('package.json') as {
    dependencies: Record<string, string>
    devDependencies: Record<string, string>
    /** Whose scripts were looked at, and whether they are needed. */
    allowScripts: Record<string, boolean>
  }
  const { packages } = json('package-lock.json') as { packages: Record<string, Locked> }
  // What stands in `scripts/packages` is ours, and linked to.
  const fetched = Object.entries(packages).filter(
    ([path, { integrity }]) =>
      path !== '' && (integrity !== undefined || !isOurs(path.replace('node_modules/', ''))),
  )
  const direct = Object.entries({ ...dependencies, ...devDependencies })

  it('are pinned, each to one version', () => {
    assert.deepEqual(
      direct.filter(
        ([, version]) => !/^(\d+\.\d+\.\d+(-[\w.]+)?|file:scripts\/packages\/.*)$/.test(version),
      ),
      [],
    )
  })

  it('are known down to their bytes, indirect ones too', () => {
    assert.ok(fetched.length > direct.length)
    assert.deepEqual(
      fetched.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')),
      [],
    )
  })

  it('run no script at installation that nobody has looked at', () => {
    const scripted = fetched.flatMap(([path, { name, version = '', hasInstallScript }]) =>
      hasInstallScript ? [`${name ?? path.replace(/^.*node_modules\//, '')}@${version}`] : [],
    )
    assert.deepEqual([...new Set(scripted)].sort(), SCRIPTS_READ)
    const known = SCRIPTS_READ.map((each) => each.slice(0, each.lastIndexOf('@')))
    assert.deepEqual(Object.keys(allowScripts).sort(), known)
  })

  it('have each a reason in docs/decisions/dependencies.md, and none has one without being there', () => {
    const text = readFileSync(join(ROOT, 'docs/decisions/dependencies.md'), 'utf8')
    const rows = text.split('\n').filter((line) => line.startsWith('| `'))
    const named = rows.flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    )
    const stands = (name: string, entry: string) =>
      entry.endsWith('…') ? name.startsWith(entry.slice(0, -1)) : name === entry
    const names = direct.map(([name]) => name)
    assert.deepEqual(
      names.filter((name) => !named.some((entry) => stands(name, entry))),
      [],
    )
    assert.deepEqual(
      named.filter((entry) => !names.some((name) => stands(name, entry))),
      [],
    )
  })
})

function isOurs(name: string): boolean {
  return existsSync(join(ROOT, 'scripts/packages', name.replace('scripts/packages/', '')))
}
