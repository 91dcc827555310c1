import assert from 'node:assert/strict'
import { ApprovalVerifier } from '../../src/audit/approvals.js'
import { chainRecord, EMPTY_LOG, type AuditHead, type AuditRecord } from '../../src/audit/chain.js'
import { auditEvent, type AuditEvent, type AuditEventDetails } from '../../src/audit/events.js'
import type { Credential } from '../../src/credentials/credential.js'
import { sql, sweep } from '../../src/storage/database.js'
import {
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'

type Granted = AuditEventDetails['authorisation.granted']
type Requested = AuditEventDetails['signature.requested']

const PARTIES = { clientId: 'shop', userId: 'alice', credentialId: 'alices' }

function granted(digests: string[], more: Partial<Granted> = {}): AuditEvent {
  return auditEvent('authorisation.granted', {
    ...{ authorisationId: 'agreed', transactionId: 'story', ...PARTIES },
    ...{ factors: ['totp'], digests, numSignatures: digests.length, ...more },
  })
}

function extended(...digests: string[]): AuditEvent {
  return auditEvent('authorisation.extended', { authorisationId: 'agreed', digests })
}

function requested(operationId: string, digests: string[], more: Partial<Requested> = {}) {
  return auditEvent('signature.requested', {
    ...{ operationId, authorisationId: 'agreed', ...PARTIES },
    ...{ algorithm: 'ecdsa sha256', digests, ...more },
  })
}

function created(operationId: string, count: number): AuditEvent {
  const signatures = Array.from({ length: count }, (_, index) => `signature ${index}`)
  return auditEvent('signature.created', { operationId, ...PARTIES, signatures })
}

const signed = (operationId: string, ...digests: string[]) => [
  requested(operationId, digests),
  created(operationId, digests.length),
]
const released = auditEvent('signature.failed', {
  ...{ operationId: 'one', credentialId: 'alices', why: 'token busy' },
})
const revoked = auditEvent('authorisation.revoked', { authorisationId: 'agreed', why: 'token' })

function chained(events: readonly AuditEvent[]): AuditRecord[] {
  let head: AuditHead = EMPTY_LOG
  return events.map(({ event, detail }) => {
    const entry = { at: '2026-01-01T00:00:00.000Z', event, detail: JSON.stringify(detail) }
    const record = chainRecord(head, entry)
    head = record
    return record
  })
}

function problemsOf(records: Iterable<AuditRecord>, isWhole = true): string[] {
  const verifier = new ApprovalVerifier(isWhole)
  for (const record of records) verifier.add(record)
  return verifier.problems.map(({ seq, problem }) => `${seq} ${problem}`)
}

describe('Approvals, as the audit log has them (S17, S78)', () => {
  const sound: [string, AuditEvent[]][] = [
    ['what was approved is signed', [granted(['a', 'b']), ...signed('one', 'b', 'a')]],
    [
      'it is signed bit by bit',
      [granted(['a', 'b']), ...signed('one', 'a'), ...signed('two', 'b')],
    ],
    [
      'it is asked for again after nothing was signed',
      [granted(['a']), requested('one', ['a']), released, ...signed('two', 'a')],
    ],
    [
      'digests come when they are known',
      [granted([], { numSignatures: 2 }), ...signed('one', 'a', 'b')],
    ],
    [
      'digests are added by an extension',
      [
        granted(['a'], { numSignatures: 3 }),
        ...signed('one', 'a'),
        extended('b'),
        ...signed('two', 'b'),
      ],
    ],
    [
      'an extension replaces what was not signed yet',
      [granted(['a', 'b']), extended('c'), ...signed('one', 'c')],
    ],
    [
      'it ends while the token signs',
      [granted(['a']), requested('one', ['a']), revoked, created('one', 1)],
    ],
    [
      'a release before did not say how many',
      [granted(['a']), ...signed('one', 'a')].map((each) => withoutNumber(each)),
    ],
  ]
  for (const [what, events] of sound) {
    it(`are in order when ${what}`, () => assert.deepEqual(problemsOf(chained(events)), []))
  }

  const wrong: [string, AuditEvent[], string][] = [
    [
      'was approved by nobody',
      signed('one', 'a'),
      '1 asks for a signature that nobody on record approved',
    ],
    [
      'was not approved, though something was',
      [granted(['a']), ...signed('one', 'b')],
      '2 asks for a signature over a digest that was not approved',
    ],
    [
      'was not approved, among what was',
      [granted(['a', 'c']), ...signed('one', 'a', 'b')],
      '2 asks for a signature over a digest that was not approved',
    ],
    [
      'was not approved, once all digests are known',
      [granted(['a'], { numSignatures: 2 }), extended('b'), ...signed('one', 'c')],
      '3 asks for a signature over a digest that was not approved',
    ],
    [
      'was signed already as often as was approved',
      [granted(['a']), ...signed('one', 'a'), ...signed('two', 'a')],
      '4 asks for more signatures than were approved',
    ],
    [
      'is more at once than was approved',
      [granted([], { numSignatures: 1 }), requested('one', ['a', 'b'])],
      '2 asks for a signature over a digest that was not approved',
    ],
    [
      'was approved until that was revoked',
      [granted(['a']), revoked, ...signed('one', 'a')],
      '3 asks for a signature that nobody on record approved',
    ],
    ...(['clientId', 'userId', 'credentialId'] as const).map(
      (party): [string, AuditEvent[], string] => [
        `was approved with another ${party}`,
        [granted(['a']), requested('one', ['a'], { [party]: 'another' })],
        '2 asks for a signature that somebody else approved, or for another application',
      ],
    ),
  ]
  for (const [what, events, problem] of wrong) {
    it(`show what is to be signed but ${what}`, () =>
      assert.deepEqual(problemsOf(chained(events)), [problem]))
  }

  it('that cannot be read are problems, not failures', () => {
    for (const detail of ['', 'null', '{}', '{"digests":7}', '[1]']) {
      const [record] = chained([granted(['a'])])
      assert.ok(record)
      assert.deepEqual(problemsOf([{ ...record, detail }]), [
        '1 does not say what such a record says',
      ])
    }
  })

  it('from before the part that is looked at are taken on trust', () => {
    const records = chained([granted(['a']), ...signed('one', 'b')])
    assert.deepEqual(problemsOf(records.slice(1), false), [])
  })

  describe('of a service whose database somebody changes', () => {
    let rssp: Rssp
    let user: TestUser
    let client: TestClient
    let credential: Credential

    before(async () => {
      rssp = await startRssp()
      user = await rssp.addUser()
      client = await rssp.addClient()
      credential = await rssp.addCredential(user)
    })
    after(() => rssp.close())

    const sign = (token: string, digest: Buffer) =>
      rssp.call(
        'signatures/signHash',
        {
          ...{ credentialID: credential.id, signAlgo: ECDSA_SHA256 },
          hashes: [digest.toString('base64')],
        },
        token,
      )

    async function problems(): Promise<string[]> {
      const records: AuditRecord[] = []
      for await (const record of rssp.services.audit.read(1)) records.push(record)
      return problemsOf(records).map((each) => each.replace(/^\d+ /, ''))
    }

    it('show what was signed more often than approved, and nothing before', async () => {
      const shown = digestOf('what was shown')
      const first = await rssp.credentialToken({ user, client, credential, digests: [shown] })
      assert.equal((await sign(first, shown)).status, 200)
      assert.deepEqual(await problems(), [])

      const unspent = sql`UPDATE "AuthorisedDigest" SET "state" = 'authorised', "operationId" = NULL`
      await rssp.services.database.commit({ changes: [sweep(unspent)], audit: [] })
      assert.equal((await sign(first, shown)).status, 200)
      assert.deepEqual(await problems(), ['asks for more signatures than were approved'])
    })
  })
})

function withoutNumber({ event, detail }: AuditEvent): AuditEvent {
  const { numSignatures, ...rest } = detail as Granted
  return (numSignatures === undefined ? { event, detail } : { event, detail: rest }) as AuditEvent
}
