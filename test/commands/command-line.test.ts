import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openrsspHere } from './in-process.js'
import { openrssp } from './openrssp.js'

const COMMANDS: readonly (readonly string[])[] = [
  [],
  ['serve'],
  ['user'],
  ['user', 'add'],
  ['user', 'list'],
  ['user', 'disable'],
  ['client'],
  ['client', 'add'],
  ['client', 'list'],
  ['client', 'disable'],
  ['credential'],
  ['credential', 'create'],
  ['credential', 'list'],
  ['credential', 'revoke'],
  ['audit'],
  ['audit', 'verify'],
  ['audit', 'export'],
  ['token'],
  ['token', 'init'],
  ['sandbox'],
  ['sandbox', 'start'],
  ['sandbox', 'code'],
]

describe('openrssp', () => {
  for (const command of COMMANDS) {
    it(`explains ${['openrssp', ...command].join(' ')} with --help`, async () => {
      const { code, stdout, stderr } = await openrsspHere([...command, '--help'])
      assert.deepEqual([code, stderr], [0, ''])
      assert.match(stdout, new RegExp(`^Usage: ${['openrssp', ...command].join(' ')} `))
      assert.match(stdout, /-h, --help {2,}display help for command/)
    })
  }

  it('tells its version', async () => {
    const manifest = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')
    const { code, stdout } = await openrssp(['--version'])
    assert.deepEqual([code, stdout], [0, `${JSON.parse(manifest).version}\n`])
  })

  const mistakes: [string[], string][] = [
    [['serv'], `error: unknown command 'serv'\n(Did you mean serve?)`],
    [['user', 'delete', 'alice'], `error: unknown command 'delete'`],
    [['user', 'list', '--verbose'], `error: unknown option '--verbose'`],
    [
      ['user', 'add', '--given-name', 'A', '--surname', 'B'],
      `error: missing required argument 'username'`,
    ],
    [
      ['user', 'add', 'alice', '--given-name', 'Alice'],
      `error: required option '--surname <name>' not specified`,
    ],
    [
      ['credential', 'create', 'alice', '--algorithm', 'dsa'],
      `error: option '-a, --algorithm <name>' argument 'dsa' is invalid. Allowed choices are `,
    ],
    [
      ['credential', 'create', 'alice', '--multisign', '0'],
      `error: option '--multisign <count>' argument '0' is invalid. Give a number from 1 to 9999.`,
    ],
    [
      ['audit', 'export', '--from', 'first'],
      `error: option '--from <seq>' argument 'first' is invalid. Give the number of a record.`,
    ],
    [
      ['sandbox', 'start', '--port', '70000'],
      `error: option '--port <number>' argument '70000' is invalid. Give a port from 1 to 65535.`,
    ],
    [['user', 'list', 'alice'], 'error: too many arguments'],
  ]
  for (const [command, words] of mistakes) {
    it(`points out the mistake in: openrssp ${command.join(' ')}`, async () => {
      const { code, stdout, stderr } = await openrsspHere(command)
      assert.deepEqual([code, stdout], [1, ''])
      assert.ok(stderr.startsWith(words), stderr)
      assert.match(stderr, /\(add --help for what it takes\)/)
    })
  }

  it('ends with 1 after a mistake, and with 0 after its help', async () => {
    const mistaken = await openrssp(['user', 'delete', 'alice'])
    assert.deepEqual([mistaken.code, mistaken.stdout], [1, ''])
    assert.match(mistaken.stderr, /^error: unknown command 'delete'\n/)
    const helped = await openrssp(['user', '--help'])
    assert.deepEqual([helped.code, helped.stderr], [0, ''])
  })

  it('says when an environment variable is wrong, and only to the command that reads it', async () => {
    const environment = { OPENRSSP_PORT: 'http' }
    const { code, stderr } = await openrssp(['sandbox', 'start'], { environment })
    assert.equal(code, 1)
    assert.match(stderr, /value 'http' from env 'OPENRSSP_PORT' is invalid/)
    assert.equal((await openrssp(['--version'], { environment })).code, 0)
  })

  it('says when there is no configuration, and how to name one', async () => {
    const { code, stderr } = await openrssp(['user', 'list', '--config', '/nowhere/rssp.json'])
    assert.equal(code, 1)
    assert.equal(
      stderr,
      'openrssp: The configuration has problems:\n  /nowhere/rssp.json: cannot be read; name the configuration with --config, or let ./scripts/start make one\n',
    )
  })

  it('says when it is given a folder in the place of a file', async () => {
    for (const command of [['verify'], ['audit', 'verify', '--file']]) {
      const { code, stderr } = await openrsspHere([...command, tmpdir()])
      assert.equal(code, 1)
      assert.equal(stderr, `openrssp: ${tmpdir()} is a folder.\n`)
    }
  })

  it('takes the configuration named in OPENRSSP_CONFIG', async () => {
    const environment = { OPENRSSP_CONFIG: '/nowhere/other.json' }
    const { stderr } = await openrssp(['user', 'list'], { environment })
    assert.match(
      stderr,
      /^ {2}\/nowhere\/other\.json: cannot be read; name the configuration with --config/m,
    )
  })
})
