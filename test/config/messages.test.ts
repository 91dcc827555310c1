import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConfig, ConfigError } from '../../src/config/load.js'
import { Secrets } from '../../src/config/secrets.js'

type Settings = Record<string, unknown>

describe('The configuration of mail and text messages', () => {
  let folder: string
  const at = (name: string): string => join(folder, name)

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-config-'))
    Secrets.create(at('secrets.key'))
    const mode = 0o600
    writeFileSync(at('hsm.pin'), '648219\n', { mode })
    writeFileSync(at('module.so'), '')
    writeFileSync(at('token'), 'Bearer s3cret\n', { mode })
    writeFileSync(at('open'), 'Bearer s3cret\n', { mode: 0o644 })
    writeFileSync(at('empty'), '\n', { mode })
    writeFileSync(at('lines'), 'a\nX-Other: b\n', { mode })
    writeFileSync(at('ca.pem'), '', { mode: 0o644 })
  })
  after(() => {
    rmSync(folder, { recursive: true })
  })

  function settings(change: Settings): Settings {
    return {
      baseUrl: 'https://sign.example',
      database: 'file:rssp.db',
      secretsFile: 'secrets.key',
      hsm: { module: 'module.so', tokenLabel: 'keys', pinFile: 'hsm.pin' },
      service: { name: 'Example', region: 'LT' },
      certificateAuthority: { organization: 'Example', country: 'LT' },
      ...change,
    }
  }

  const sms = (change: Settings = {}) => ({
    transport: 'http',
    url: 'https://gateway.example/messages',
    body: { format: 'json', template: { to: '{to}', text: '{text}' } },
    ...change,
  })
  const mail = (change: Settings = {}) => ({
    ...{ transport: 'smtp', host: 'mail.example', port: 587, from: 'sign@example.org' },
    ...change,
  })

  function problemsOf(change: Settings, environment: NodeJS.ProcessEnv = {}): string[] {
    try {
      checkConfig(settings(change), folder, environment)
    } catch (error) {
      assert.ok(error instanceof ConfigError)
      return error.problems.map(({ setting, problem }) => `${setting}: ${problem}`)
    }
    return []
  }

  it('takes files from its own folder', () => {
    const given = settings({
      mail: mail({ user: 'rssp', passwordFile: 'token', caFile: 'ca.pem' }),
      sms: sms({ headerFiles: { Authorization: 'token' } }),
    })
    const config = checkConfig(given, folder, {})
    assert.ok(config.mail?.transport === 'smtp' && config.sms?.transport === 'http')
    assert.equal(config.mail.passwordFile, at('token'))
    assert.equal(config.mail.caFile, at('ca.pem'))
    assert.deepEqual(config.sms.headerFiles, { Authorization: at('token') })
  })

  const refused: [string, Settings, string[]][] = [
    [
      'plain http to the gateway',
      { sms: sms({ url: 'http://gateway.example/' }) },
      ['sms.url: must be https outside the sandbox'],
    ],
    [
      'a user in the address',
      { sms: sms({ url: 'https://user:secret@gateway.example/' }) },
      ['sms.url: is not a URL without user and fragment'],
    ],
    [
      'a template that forgets whom to send what',
      { sms: sms({ body: { format: 'form', template: { to: '{TO}' } } }) },
      ['sms.body.template: has no {to}', 'sms.body.template: has no {text}'],
    ],
    [
      'a header that is none',
      { sms: sms({ headers: { 'X Bad': 'a', 'X-Good': 'a\r\nb' } }) },
      ['sms.headers.X Bad: is not a header', 'sms.headers.X-Good: is not a header'],
    ],
    [
      'a secret that others can read, or that is none',
      { sms: sms({ headerFiles: { A: 'open', B: 'empty', C: 'missing', D: 'lines' } }) },
      [
        'sms.headerFiles.A: {at}/open can be read by others; run chmod 600 on it',
        'sms.headerFiles.B: {at}/empty is empty',
        'sms.headerFiles.C: {at}/missing does not exist',
        'sms.headerFiles.D: is not a header',
      ],
    ],
    [
      'the same of mail',
      { mail: mail({ passwordFile: 'open', caFile: 'missing' }) },
      [
        'mail.passwordFile: {at}/open can be read by others; run chmod 600 on it',
        'mail.caFile: {at}/missing does not exist',
      ],
    ],
  ]
  for (const [what, change, problems] of refused) {
    it(`refuses ${what}`, () => {
      assert.deepEqual(
        problemsOf(change),
        problems.map((problem) => problem.replace('{at}', folder)),
      )
    })
  }

  it('refuses another shape', () => {
    for (const change of [{ method: 'GET' }, { body: { format: 'xml' } }, { retries: 3 }]) {
      assert.match(problemsOf({ sms: sms(change) })[0] ?? '', /^sms(\.\w+)?: (has none|must be)/)
    }
  })

  it('refuses headers that are no text, with the rest of what is wrong', () => {
    for (const value of [null, 1, [], {}, { toString: 1 }]) {
      for (const change of [{ headers: { A: value } }, { headerFiles: { A: value } }]) {
        const problems = problemsOf({ sms: sms(change), sandBox: true })
        assert.match(problems.join(), /\bsms\b/)
        assert.match(problems.join(), /sandBox: is not a setting/)
      }
    }
  })

  it('lets the sandbox speak plain http, and keeps outboxes out of production', () => {
    assert.deepEqual(problemsOf({ sandbox: true, sms: sms({ url: 'http://127.0.0.1:9000/' }) }), [])
    const outbox = { transport: 'outbox', folder: 'outbox' }
    const problems = problemsOf({ sms: outbox }, { NODE_ENV: 'production' })
    assert.deepEqual(problems, ['sms.transport: must not be outbox with NODE_ENV=production'])
  })
})
