import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import {
  agreementOfOwner,
  agreementOfSeal,
  type AgreementOptions,
} from '../../src/commands/agreement.js'
import { CommandError } from '../../src/commands/command-line.js'
import type { User } from '../../src/identity/user.js'
import type { Client, ClientStore } from '../../src/oauth/client.js'
import { OtherAuthority, pemOf } from '../support/other-authority.js'
import { Installation } from './openrssp.js'

describe('openrssp credential create', () => {
  let installation: Installation

  before(async () => {
    installation = await Installation.make()
    const sms = { transport: 'outbox', folder: join(installation.folder, 'outbox') }
    installation.configure({ sms })
    const person = ['--given-name', 'Alice', '--surname', 'Archer']
    await installation.json('user', 'add', 'alice', ...person, '--phone', '+37060012345')
  })
  after(() => {
    installation.remove()
  })

  const create = (...args: string[]) => installation.json('credential', 'create', 'alice', ...args)

  function stored(id: string): Record<string, unknown> {
    const database = new Sqlite(installation.databaseFile, { readonly: true })
    try {
      return database.prepare('SELECT * FROM "Credential" WHERE "id" = ?').get(id) as never
    } finally {
      database.close()
    }
  }

  it('explains every way of agreeing, each with a command', async () => {
    const { stdout } = await installation.run('credential', 'create', '--help')
    const ways = ['--with-pin', '--approval sms', '--explicit PIN OTP', '--explicit PUSH']
    for (const way of ways) assert.ok(stdout.includes(`create alice ${way}\n`), way)
    assert.match(stdout, /choices: "PIN", "OTP",\s+"EMAIL", "SMS", "PUSH"/)
  })

  it('--explicit: takes objects and how they combine, and prints the PIN once', async () => {
    const expression = 'PIN AND (OTP OR SMS)'
    const options = ['--explicit', 'PIN', 'OTP', 'SMS', '--expression', expression]
    const { credentialID, PIN } = await create(...options, '--qualifier', 'eu_eidas_aes')
    assert.match(PIN, /^\d{6}$/)
    const row = stored(credentialID)
    assert.deepEqual(
      [row['authMode'], row['authExpression'], row['signatureQualifier']],
      ['explicit', expression, 'eu_eidas_aes'],
    )
    assert.ok(!JSON.stringify(row).includes(PIN))
  })

  it('makes a key whose certificate comes from elsewhere', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'openrssp-csr-'))
    const file = (name: string) => join(folder, name)
    const other = new OtherAuthority()
    try {
      const out = ['--out', file('request.pem')]
      const { credentialID } = await installation.json('credential', 'csr', 'alice', ...out)
      const pem = readFileSync(file('request.pem'), 'utf8')
      const csr = Buffer.from(pem.replace(/-----.*?-----/g, ''), 'base64')
      writeFileSync(file('anchors.pem'), pemOf(other.root.certificate))
      const bring = (...certificates: Buffer[]) => {
        writeFileSync(file('chain.pem'), certificates.map(pemOf).join(''))
        const files = ['--certificate', file('chain.pem'), '--anchors', file('anchors.pem')]
        return installation.run('credential', 'import', credentialID, ...files)
      }
      const taken = await bring(other.certify(csr), other.issuing.certificate)
      assert.deepEqual([taken.code, stored(credentialID)['status']], [0, 'enabled'])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('certifies a key from elsewhere for a person, and revokes that, where "authority" is told to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'openrssp-issue-'))
    const file = (name: string) => join(folder, name)
    try {
      const key = ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', file('key.pem')]
      execFileSync('openssl', [...key, '-subj', '/CN=x', '-out', file('csr.pem')], {
        stdio: 'ignore',
      })
      const issue = ['authority', 'issue', 'alice', '--csr', file('csr.pem')]
      const { serialNumber, subject } = await installation.json(...issue, '--out', file('leaf.pem'))
      assert.match(subject, /givenName=Alice,surname=Archer/)
      const certificate = new X509Certificate(readFileSync(file('leaf.pem')))
      assert.equal(certificate.serialNumber, serialNumber)
      const revoke = ['authority', 'revoke', serialNumber, '--reason', 'keyCompromise']
      assert.equal((await installation.json(...revoke)).status, 'revoked')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('refuses objects for a seal', async () => {
    const options = ['--explicit', 'PIN', '--seal-of', 'app']
    const { code, stdout } = await installation.run('credential', 'create', 'alice', ...options)
    assert.deepEqual([code, stdout], [1, ''])
  })
})

describe('How signatures with a new credential are agreed to', () => {
  const alice: User = {
    ...{ id: 'a', username: 'alice', displayName: 'Alice Archer', lang: null, disabledAt: null },
    ...{ givenName: 'Alice', surname: 'Archer', email: null, phone: '+37060012345' },
    ...{ country: null, otpAtSignIn: false },
  }
  const clients = {
    find: (id: string) =>
      Promise.resolve(
        id === 'sealer' ? ({ grantTypes: ['client_credentials'] } as unknown as Client) : null,
      ),
  } as ClientStore
  type Given = Partial<AgreementOptions>

  const transport = { transport: 'outbox', folder: '/outbox' } as const
  const everyWay = { mail: transport, sms: transport, identityProviders: [] }
  const ofOwner = (given: Given, ways = {}) =>
    agreementOfOwner(alice, { approval: 'otp', ...given }, { ...everyWay, ...ways })
  const ofSeal = (given: Given) => agreementOfSeal({ approval: 'otp', ...given }, clients)

  it('is by one-time code on our pages when nothing is said, and without a PIN', () => {
    assert.deepEqual(ofOwner({}), { pin: null })
  })

  it('takes a PIN of 6 digits where it is asked for, or among the objects', () => {
    const asked: Given[] = [
      { withPin: true },
      { explicit: ['PIN'] },
      { explicit: ['PUSH'], withPin: true },
    ]
    for (const given of asked) assert.match(ofOwner(given).pin ?? '', /^\d{6}$/)
    assert.equal(ofOwner({ explicit: ['PUSH'], approval: 'sms' }).pin, null)
  })

  it('names each object once', () => {
    const { explicit } = ofOwner({ explicit: ['OTP', 'PIN', 'OTP'] })
    assert.deepEqual(
      explicit?.objects.map(({ id }) => id),
      ['OTP', 'PIN'],
    )
  })

  const refusals: [Given, string][] = [
    [
      { explicit: ['PIN', 'OTP'], expression: 'PIN AND SMS' },
      'The expression combines PIN, OTP with AND, OR, XOR and parentheses.',
    ],
    [
      { explicit: ['PIN'], expression: 'PIN AND' },
      'The expression combines PIN with AND, OR, XOR and parentheses.',
    ],
    [{ approval: 'email' }, 'Codes cannot be sent yet; first: openrssp user set alice --email'],
    [
      { explicit: ['PIN', 'EMAIL'] },
      'Codes cannot be sent yet; first: openrssp user set alice --email',
    ],
    [
      { explicit: ['PUSH'], approval: 'email' },
      'Codes cannot be sent yet; first: openrssp user set alice --email',
    ],
    [
      { explicit: ['PIN'], approval: 'passkey' },
      '--approval and --with-pin are for our pages: leave them out, or add PUSH to --explicit.',
    ],
    [
      { explicit: ['OTP'], withPin: true },
      '--approval and --with-pin are for our pages: leave them out, or add PUSH to --explicit.',
    ],
    [
      { explicit: ['PUSH'], approval: 'id-bb' },
      'What is approved at an identity provider cannot have PUSH.',
    ],
    [{ expression: 'PIN' }, '--expression is for --explicit.'],
  ]
  for (const [given, words] of refusals) {
    it(`refuses ${JSON.stringify(given)}`, () => {
      assert.throws(
        () => ofOwner(given),
        (error) => error instanceof CommandError && error.message === words,
      )
    })
  }

  const unset: [Given, string][] = [
    [{ approval: 'id-bb' }, 'identityProviders'],
    [{ approval: 'sms' }, 'sms'],
    [{ explicit: ['PIN', 'SMS'] }, 'sms'],
    [{ explicit: ['PUSH', 'EMAIL'], approval: 'sms' }, 'mail and sms'],
  ]
  for (const [given, settings] of unset) {
    it(`refuses ${JSON.stringify(given)} where ${settings} is not configured`, () => {
      const message = `Nobody could approve yet; first configure ${settings}.`
      assert.throws(() => ofOwner(given, { mail: undefined, sms: undefined }), { message })
    })
  }

  it('is nobody’s concern with a seal, beyond a PIN', async () => {
    assert.equal(await ofSeal({}), null)
    assert.match((await ofSeal({ sealOf: 'sealer' }))?.pin ?? '', /^\d{12}$/)
    assert.equal((await ofSeal({ sealOf: 'sealer', withoutPin: true }))?.pin, null)
    const words = { message: 'A seal takes a PIN, or --without-pin; nobody approves it.' }
    for (const more of [{ approval: 'sms' }, { withPin: true }, { expression: 'PIN' }] as const) {
      await assert.rejects(ofSeal({ sealOf: 'sealer', ...more }), words)
    }
  })
})
