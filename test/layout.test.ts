import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

const SRC = join(import.meta.dirname, '../src')

/** Top to bottom: a folder imports from its own row and from rows above it (docs/decisions/layout.md). */
const LAYERS = [
  ['config', 'audit', 'observability', 'admission', 'isolation'],
  ['keys', 'credentials', 'identity', 'certificates', 'timestamping'],
  ['transactions', 'activation', 'signing', 'documents', 'verification'],
  ['http', 'pages', 'csc', 'oauth', 'account', 'demo', 'reference', 'pki', 'verify'],
  ['storage'],
  ['sandbox', 'workers', 'commands'],
]
/** These say of themselves that they know who implements what. */
const ROOTS = [
  'app',
  'cli',
  'errors',
  'kept-promise',
  'key-process',
  'package-files',
  'records',
  'server',
  'services',
  'validator',
  'version',
]

interface Import {
  readonly file: string
  readonly target: string
  readonly typeOnly: boolean
}

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.tsx?$/.test(path) && !path.includes('prisma-client'))
  .map((path) => path.split(sep).join('/'))

const imports = sources.flatMap((file): Import[] => {
  const text = readFileSync(join(SRC, file), 'utf8')
  return [...text.matchAll(/^(?:import|export) (type )?[^'"]*?from '(\.[^']+)'/gms)].map(
    (match) => {
      const target = relative(SRC, join(SRC, file, '..', match[2] ?? ''))
      return { file, target: target.split(sep).join('/'), typeOnly: match[1] !== undefined }
    },
  )
})

const folderOf = (path: string): string => path.split('/')[0]?.replace(/\.(ts|js)$/, '') ?? ''
const layerOf = (folder: string): number => LAYERS.findIndex((row) => row.includes(folder))

describe('The layout of src', () => {
  it('knows every folder', () => {
    const unknown = sources
      .map(folderOf)
      .filter((name) => layerOf(name) < 0 && !ROOTS.includes(name))
    assert.deepEqual(unknown, [])
  })

  it('has imports run from lower rows to upper ones only', () => {
    const wrong = imports
      .filter(({ file, target }) => layerOf(folderOf(file)) >= 0 && layerOf(folderOf(target)) >= 0)
      .filter(({ file, target }) => layerOf(folderOf(target)) > layerOf(folderOf(file)))
    assert.deepEqual(wrong, [])
  })

  it('lets nothing but the roots and commands know the roots, those that everybody may apart', () => {
    const wrong = imports.filter(
      ({ file, target, typeOnly }) =>
        !typeOnly &&
        layerOf(folderOf(file)) >= 0 &&
        folderOf(file) !== 'commands' &&
        ROOTS.includes(folderOf(target)) &&
        !['errors', 'kept-promise', 'package-files', 'validator', 'version'].includes(
          folderOf(target),
        ),
    )
    assert.deepEqual(wrong, [])
  })

  it('keeps façades away from the ledger’s tables and the token', () => {
    const facades = ['http', 'pages', 'csc', 'oauth', 'account', 'demo', 'verify']
    const wrong = imports.filter(
      ({ file, target }) =>
        facades.includes(folderOf(file)) &&
        (target.startsWith('keys/pkcs11') ||
          target.startsWith('keys/hsm') ||
          target.startsWith('storage')),
    )
    assert.deepEqual(wrong, [])
  })

  const onlyIn: [string, RegExp, RegExp][] = [
    ['pkcs11js', /from 'pkcs11js'/, /^keys\/pkcs11\/[\w-]+\.ts$/],
    ['better-sqlite3', /from 'better-sqlite3'/, /^storage\/sqlite\//],
    ['pg', /from 'pg'/, /^storage\/postgresql\//],
    ['openid-client', /from 'openid-client'/, /^identity\/id-bb(-keys)?\.ts$/],
    ['koffi', /from 'koffi'/, /^keys\/foreign-functions\.ts$/],
    ['libxml2', /from 'libxml2-wasm'/, /^(documents\/xades|verification\/formats)\//],
    ['saxes', /from 'saxes'/, /^documents\/xades\/xml-scan\.ts$/],
    ['prom-client', /from 'prom-client'/, /^observability\/metrics\.ts$/],
    // Loaded only where tracing is on: nobody imports it but by `import()`.
    ['OpenTelemetry', /from '@opentelemetry/, /^observability\/opentelemetry\.ts$/],
    ['oidc-provider', /from 'oidc-provider'/, /^(oauth\/[\w-]+|app)\.ts$/],
  ]
  for (const [name, pattern, home] of onlyIn) {
    it(`imports ${name} only where it is at home`, () => {
      const users = sources.filter((file) => pattern.test(readFileSync(join(SRC, file), 'utf8')))
      assert.ok(users.length > 0)
      assert.deepEqual(
        users.filter((file) => !home.test(file)),
        [],
      )
    })
  }

  it('names what it starts in a thread or a process so that the build finds it', () => {
    const relative = sources.filter((file) =>
      /new URL\(\s*['"`]\.[^)]*import\.meta\.url/.test(readFileSync(join(SRC, file), 'utf8')),
    )
    assert.deepEqual(
      relative.filter((file) => !file.startsWith('demo/browser/')),
      [],
    )
  })

  it('has no drawer for things without a name', () => {
    const drawers = sources.filter((file) =>
      /(^|\/)(utils?|helpers?|common|managers?)(\.|\/)/.test(file),
    )
    assert.deepEqual(drawers, [])
  })
})
