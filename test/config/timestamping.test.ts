import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConfig, ConfigError } from '../../src/config/load.js'
import { Secrets } from '../../src/config/secrets.js'
import { makeUp } from '../support/made-up-pki.js'
import { testSettings } from '../support/rssp.js'

describe('The configuration of timestamps and trust', () => {
  let folder: string
  const at = (name: string) => join(folder, name)

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-config-'))
    Secrets.create(at('secrets.key'))
    const root = makeUp({ name: 'Root', authority: true }).certificate.toString('base64')
    const pem = `-----BEGIN CERTIFICATE-----\n${root}\n-----END CERTIFICATE-----\n`
    writeFileSync(at('pin'), 'unused', { mode: 0o600 })
    writeFileSync(at('roots.pem'), `# ours\n${pem}${pem}`)
    writeFileSync(at('broken.pem'), pem.replace(root.slice(0, 8), 'AAAAAAAA'))
    writeFileSync(at('empty.pem'), '')
    writeFileSync(at('password'), 'of no importance', { mode: 0o600 })
    writeFileSync(at('open-password'), 'of no importance', { mode: 0o644 })
  })
  after(() => rmSync(folder, { recursive: true }))

  const check = (settings: Record<string, unknown>) =>
    checkConfig(testSettings('http://127.0.0.1:8700', 8700, settings), folder, {})
  const problemsOf = (settings: Record<string, unknown>): string[] => {
    try {
      check(settings)
      return []
    } catch (error) {
      assert.ok(error instanceof ConfigError)
      return error.problems.map(({ setting, problem }) => `${setting}: ${problem}`)
    }
  }
  const authority = { url: 'https://tsa.example/ts', anchorsFile: 'roots.pem' }
  const external = (...changes: Record<string, unknown>[]) => ({
    timestamping: {
      source: 'external',
      external: changes.map((change) => ({ ...authority, ...change })),
    },
  })

  it('is our own authority when nothing is said', () => {
    const { timestamping, validation } = check({})
    const { source, endpoint, accuracyMilliseconds, timeServers } = timestamping
    assert.deepEqual(
      [source, endpoint, accuracyMilliseconds, timeServers],
      ['embedded', true, 1000, []],
    )
    assert.deepEqual(validation.privateHosts, [])
  })

  it('names files from where it lies itself', () => {
    const login = { user: 'rssp', passwordFile: 'password' }
    const { timestamping, validation } = check({
      ...external({}, login),
      validation: { anchorsFile: 'roots.pem' },
    })
    assert.equal(validation.anchorsFile, at('roots.pem'))
    assert.deepEqual(
      timestamping.external.map(({ anchorsFile, passwordFile }) => [anchorsFile, passwordFile]),
      [
        [at('roots.pem'), undefined],
        [at('roots.pem'), at('password')],
      ],
    )
  })

  const E0 = 'timestamping.external.0'
  const refused: [string, Record<string, unknown>, string][] = [
    ['with nobody to ask', external(), 'timestamping.external: names no authority'],
    [
      'with anchors that are not there',
      external({ anchorsFile: 'nowhere.pem' }),
      `${E0}.anchorsFile: FOLDER/nowhere.pem does not exist`,
    ],
    [
      'with no anchor',
      external({ anchorsFile: 'empty.pem' }),
      `${E0}.anchorsFile: FOLDER/empty.pem holds no certificate`,
    ],
    [
      'with an anchor that cannot be read',
      external({ anchorsFile: 'broken.pem' }),
      `${E0}.anchorsFile: FOLDER/broken.pem holds a certificate that cannot be read`,
    ],
    [
      'with a password for everybody to read',
      external({ user: 'rssp', passwordFile: 'open-password' }),
      `${E0}.passwordFile: FOLDER/open-password can be read by others; run chmod 600 on it`,
    ],
    [
      'with a password that would be sent in the clear',
      external({ url: 'http://tsa.example', user: 'rssp', passwordFile: 'password' }),
      `${E0}.url: must be https, or everybody on the way reads the password`,
    ],
    ['with a user alone', external({ user: 'rssp' }), `${E0}.passwordFile: is missing`],
    ['with a password alone', external({ passwordFile: 'password' }), `${E0}.user: is missing`],
    [
      'with trust in nobody',
      { validation: { anchorsFile: 'empty.pem' } },
      'validation.anchorsFile: FOLDER/empty.pem holds no certificate',
    ],
    [
      'with a policy nobody can read',
      { verification: { policies: [{ identifier: '1.2.3', file: 'nowhere.pdf' }] } },
      'verification.policies.0.file: FOLDER/nowhere.pdf does not exist',
    ],
  ]
  for (const [what, settings, problem] of refused) {
    it(`is refused ${what}`, () => {
      assert.deepEqual(problemsOf(settings), [problem.replace('FOLDER', folder)])
    })
  }

  it('is refused with a policy that is no OID, and an accuracy nobody would call one', () => {
    const settings = { timestamping: { policy: 'mine', accuracyMilliseconds: 5000 } }
    const found = problemsOf(settings).map((problem) => problem.split(': ')[0])
    assert.deepEqual(found.toSorted(), ['timestamping.accuracyMilliseconds', 'timestamping.policy'])
  })
})
