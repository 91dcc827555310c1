import assert from 'node:assert/strict'
import type { AuditEventName } from '../../src/audit/events.js'
import type { Credential } from '../../src/credentials/credential.js'
import { StorageUnavailableError } from '../../src/errors.js'
import type { KeyCustody } from '../../src/keys/key-custody.js'
import type { Unit } from '../../src/storage/database.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'

describe('When the audit log cannot be written (S80)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let asked: number
  let restore: () => void
  const digest = digestOf('document')

  before(async () => {
    rssp = await startRssp({ custody: counted })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())
  beforeEach(() => {
    asked = 0
    restore = () => undefined
  })
  afterEach(() => restore())

  /** The real token, with the signings asked of it counted. */
  function counted(real: KeyCustody): KeyCustody {
    return {
      sign: (...call) => {
        asked += 1
        return real.sign(...call)
      },
      generate: (...request) => real.generate(...request),
      publicKey: (keyId) => real.publicKey(keyId),
      destroy: (keyId) => real.destroy(keyId),
      ready: () => real.ready(),
      close: () => Promise.resolve(),
    }
  }

  /** From now on, no unit with such a record comes to the disk. */
  function loseRecords(...lost: AuditEventName[]): void {
    const { database } = rssp.services
    const commit = database.commit.bind(database)
    database.commit = (unit: Unit) =>
      unit.audit?.some(({ event }) => lost.includes(event))
        ? Promise.reject(new StorageUnavailableError('SQLITE_FULL'))
        : commit(unit)
    restore = () => {
      database.commit = commit
    }
  }

  const approve = () => rssp.credentialToken({ user, client, credential, digests: [digest] })
  const sign = (token: string): Promise<Answer> =>
    rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: [digest.toString('base64')],
        signAlgo: ECDSA_SHA256,
      },
      token,
    )

  it('the token is not asked when the intent cannot be recorded, and nothing is used up (S71)', async () => {
    const token = await approve()
    loseRecords('signature.requested')
    const refused = await sign(token)
    assert.deepEqual([refused.status, refused.body.error], [503, 'temporarily_unavailable'])
    assert.equal(asked, 0)
    restore()
    assert.equal((await sign(token)).status, 200)
  })

  for (const lost of [
    ['signature.created'],
    ['signature.created', 'signature.indeterminate'],
  ] as const) {
    it(`no signature leaves without its record (${lost.join(' nor ')}), and it counts as used (S70)`, async () => {
      const token = await approve()
      loseRecords(...lost)
      const withheld = await sign(token)
      assert.equal(asked, 1)
      assert.equal(withheld.status, 500)
      assert.equal(withheld.body.signatures, undefined)
      restore()
      assertRefusal(await sign(token), 400, 'invalid_request', 'Invalid parameter SAD')
      rssp.clock.advance(3600)
      await rssp.services.activations.settleAbandoned()
      const events = (await rssp.auditEvents()).map(({ event }) => event)
      assert.equal(events.at(-1), 'signature.indeterminate')
    })
  }
})
