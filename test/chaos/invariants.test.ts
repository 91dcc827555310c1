import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import type { AuditEntry, History, LedgerRow } from '../../scripts/chaos/history.js'
import { findMismatches, INVARIANT_NAMES, type Invariant } from '../../scripts/chaos/invariants.js'
import { LANES, planRound } from '../../scripts/chaos/plan.js'

type Mutable<T> =
  T extends ReadonlyMap<infer K, infer V>
    ? Map<K, V>
    : T extends ReadonlySet<infer V>
      ? Set<V>
      : T extends object
        ? { -readonly [Key in keyof T]: Mutable<T[Key]> }
        : T
type Doctored = Mutable<History>

const DOCUMENTS = ['contract', 'annex', 'letter', 'unsigned', 'foreign']
const [CONTRACT, ANNEX, LETTER, UNSIGNED, FOREIGN] = DOCUMENTS.map((text) =>
  createHash('sha256').update(text).digest('base64'),
) as [string, string, string, string, string]
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signatureOf = (document: string) =>
  sign('sha256', Buffer.from(document), privateKey).toString('base64')
const hashOf = (signature: string) =>
  createHash('sha256').update(Buffer.from(signature, 'base64')).digest('hex')
const SIGNED = { contract: signatureOf('contract'), annex: signatureOf('annex') }

/** Two signed in one call and asked for again, one that nobody knows about, one refused for good. */
function honest(): Doctored {
  const call = { sad: 'sad', credentialId: 'credential', key: 'key', words: '' }
  const row = (id: string, digest: string, more: Partial<LedgerRow>): LedgerRow => ({
    ...{ id, authorisationId: 'authorisation', digest, state: 'authorised' },
    ...{ operationId: null, signature: null },
    ...more,
  })
  const entries: [string, Record<string, unknown>][] = [
    [
      'authorisation.granted',
      { authorisationId: 'authorisation', digests: [CONTRACT, ANNEX, LETTER, UNSIGNED] },
    ],
    ['signature.requested', requested('one', [CONTRACT, ANNEX])],
    [
      'signature.created',
      { operationId: 'one', signatures: [hashOf(SIGNED.contract), hashOf(SIGNED.annex)] },
    ],
    ['signature.requested', requested('two', [LETTER])],
    ['signature.indeterminate', { operationId: 'two', why: 'abandoned' }],
  ]
  const both = () => ({
    digests: [CONTRACT, ANNEX],
    signatures: [SIGNED.contract, SIGNED.annex],
  })
  const nothing = { signatures: [] as string[], key: null, sad: 'next' }
  return {
    keys: new Map([
      ['credential', publicKey.export({ format: 'pem', type: 'spki' }).toString()],
      ['other', publicKey.export({ format: 'pem', type: 'spki' }).toString()],
    ]),
    documents: new Map(
      DOCUMENTS.map((text) => [createHash('sha256').update(text).digest('base64'), text]),
    ),
    stories: [
      {
        ...{ name: 'round 0/story', userId: 'user', credentialId: 'credential' },
        ...{ authorisationId: 'authorisation', numSignatures: 4 },
        agreed: new Set([CONTRACT, ANNEX, LETTER, UNSIGNED]),
        requests: [
          { ...call, ...both(), sent: 1, answered: 2, status: 200 },
          { ...call, ...both(), sent: 3, answered: 4, status: 200 },
          { ...call, ...nothing, digests: [LETTER], sent: 5, answered: 6, status: 0 },
          { ...call, ...nothing, digests: [UNSIGNED], sent: 7, answered: 8, status: 400 },
        ],
        endings: [{ sad: 'sad', how: 'extended', confirmed: 9 }],
      },
    ],
    ledger: {
      authorisations: [
        { id: 'authorisation', userId: 'user', credentialId: 'credential', numSignatures: 4 },
      ],
      rows: [
        row('1', CONTRACT, { state: 'consumed', operationId: 'one', signature: SIGNED.contract }),
        row('2', ANNEX, { state: 'consumed', operationId: 'one', signature: SIGNED.annex }),
        row('3', LETTER, { state: 'indeterminate', operationId: 'two' }),
        row('4', UNSIGNED, {}),
      ],
      sads: [
        { authorisationId: 'authorisation', operationId: 'one' },
        { authorisationId: 'authorisation', operationId: 'two' },
      ],
    },
    audit: entries.map(([event, detail], index): AuditEntry => ({ seq: index + 1, event, detail })),
    ...{ chainProblems: [], tokenSignatures: 3, notRecovered: [] },
  }
}

function requested(operationId: string, digests: string[]): Record<string, unknown> {
  const ids = { authorisationId: 'authorisation', userId: 'user', credentialId: 'credential' }
  return { operationId, ...ids, digests }
}

/** What is done to the history, and which sentences it must be found to contradict. */
const LIES: [string, (history: Doctored) => void, Invariant[]][] = [
  [
    'a signature that is none',
    ({ stories }) => {
      stories[0]!.requests[0]!.signatures[0] = SIGNED.annex
    },
    [
      'every signature an application holds verifies',
      'every signature an application holds is that of one consumed row',
      'no digest has two signatures',
      'the same Idempotency-Key gives the same signatures',
    ],
  ],
  [
    'a digest signed a second time',
    ({ stories }) => {
      const [first] = stories[0]!.requests
      const signatures = [signatureOf('contract'), SIGNED.annex]
      stories[0]!.requests.push({ ...first!, key: null, sent: 4, signatures })
    },
    [
      'every signature an application holds is that of one consumed row',
      'no digest has two signatures',
      'the counts agree',
    ],
  ],
  [
    'another answer under the same key',
    ({ stories }) => {
      stories[0]!.requests[1]!.signatures.reverse()
      stories[0]!.requests[1]!.digests.reverse()
    },
    [
      'the same Idempotency-Key gives the same signatures',
      'a SAD signs once, and not after its end',
    ],
  ],
  [
    'a digest nobody agreed to, signed and on record like any other',
    ({ stories, ledger, audit }) => {
      const signature = signatureOf('foreign')
      Object.assign(ledger.rows[3]!, {
        ...{ digest: FOREIGN, state: 'consumed', operationId: 'three', signature },
      })
      audit.push({ seq: 6, event: 'signature.requested', detail: requested('three', [FOREIGN]) })
      const detail = { operationId: 'three', signatures: [hashOf(signature)] }
      audit.push({ seq: 7, event: 'signature.created', detail })
      const refused = stories[0]!.requests[3]!
      Object.assign(refused, { status: 200, digests: [FOREIGN], signatures: [signature] })
    },
    [
      'every signature an application holds is over a digest agreed to',
      'a row was spent on what it was agreed for',
    ],
  ],
  [
    'a signature by the credential of somebody else',
    ({ stories }) => {
      stories[0]!.requests[0]!.credentialId = 'other'
    },
    ['every signature an application holds is over a digest agreed to'],
  ],
  [
    'a row spent for another person',
    ({ audit }) => {
      audit[1]!.detail['userId'] = 'thief'
    },
    ['a row was spent on what it was agreed for'],
  ],
  [
    'a signature that is in no row',
    ({ ledger }) => {
      Object.assign(ledger.rows[0]!, { state: 'authorised', operationId: null, signature: null })
    },
    [
      'every signature an application holds is that of one consumed row',
      'every signature on record is that of a consumed row',
      'the counts agree',
    ],
  ],
  [
    'two rows spent for one signature',
    ({ ledger }) => {
      Object.assign(ledger.rows[3]!, { ...ledger.rows[0], id: '4' })
    },
    [
      'every signature an application holds is that of one consumed row',
      'every signature on record is that of a consumed row',
    ],
  ],
  [
    'no record of the request',
    ({ audit }) => void audit.splice(1, 1),
    [
      'a row was spent on what it was agreed for',
      'every consumed row is on record once, as requested and as created',
      'every signing came to one end',
    ],
  ],
  [
    'no record of the signature',
    ({ audit }) => void audit.splice(2, 1),
    [
      'every consumed row is on record once, as requested and as created',
      'every signing came to one end',
    ],
  ],
  [
    'a signature on record twice',
    ({ audit }) => void audit.push({ ...audit[2]!, seq: 6 }),
    [
      'every signature on record is that of a consumed row',
      'every consumed row is on record once, as requested and as created',
      'every signing came to one end',
    ],
  ],
  [
    'a signature of the ledger that was made for something else',
    ({ ledger, audit, stories }) => {
      stories[0]!.requests.splice(0, 2)
      ledger.rows[0]!.signature = signatureOf('letter')
      audit[2]!.detail['signatures'] = [hashOf(ledger.rows[0]!.signature), hashOf(SIGNED.annex)]
    },
    ['every consumed row has a signature that verifies'],
  ],
  [
    'a row reserved for ever',
    ({ ledger, audit }) => {
      ledger.rows[2]!.state = 'reserved'
      audit.splice(4, 1)
    },
    ['no row stays reserved', 'every signing came to one end'],
  ],
  [
    'an unknown outcome without a reason',
    ({ audit }) => {
      audit[4]!.detail['why'] = ''
    },
    ['what is of unknown outcome says why'],
  ],
  [
    'more rows than agreed to',
    ({ ledger }) => void ledger.rows.push({ ...ledger.rows[3]!, id: '5' }),
    ['there are never more signatures than numSignatures'],
  ],
  [
    'more signatures than agreed to',
    ({ stories, ledger }) => {
      stories[0]!.numSignatures = 1
      ledger.authorisations[0]!.numSignatures = 4
    },
    ['there are never more signatures than numSignatures'],
  ],
  [
    'a refusal that used something up',
    ({ stories }) => {
      stories[0]!.requests[2]!.status = 400
    },
    ['a refusal used nothing up'],
  ],
  [
    'a SAD that signed twice',
    ({ stories }) => {
      const [first, second] = stories[0]!.requests
      Object.assign(first!, { digests: [CONTRACT], signatures: [SIGNED.contract], key: 'a' })
      Object.assign(second!, { digests: [ANNEX], signatures: [SIGNED.annex], key: 'b' })
    },
    ['a SAD signs once, and not after its end'],
  ],
  [
    'two SADs used for one signing',
    ({ ledger }) => {
      ledger.sads[1]!.operationId = 'one'
    },
    ['a SAD signs once, and not after its end'],
  ],
  [
    'a SAD that signed after it was extended',
    ({ stories }) => {
      stories[0]!.endings[0]!.confirmed = 2
      stories[0]!.requests[1]!.key = null
    },
    ['a SAD signs once, and not after its end'],
  ],
  [
    'a signature after the revocation',
    ({ audit }) => {
      const detail = { authorisationId: 'authorisation', why: 'auth/revoke' }
      audit.splice(2, 0, { seq: 3, event: 'authorisation.revoked', detail })
    },
    ['nothing is signed after a revocation'],
  ],
  [
    'a revocation that was confirmed and forgotten',
    ({ stories }) => {
      stories[0]!.endings[0]!.how = 'revoked'
    },
    ['nothing is signed after a revocation'],
  ],
  [
    'a broken chain of records',
    ({ chainProblems }) => void chainProblems.push('record 3: was changed after it was written'),
    ['the audit log is whole'],
  ],
  [
    'fewer signatures by the token than there are',
    (history) => {
      history.tokenSignatures = 1
    },
    ['the counts agree'],
  ],
  [
    'a process that did not come back',
    ({ notRecovered }) => void notRecovered.push('process 0 does not sign'),
    ['the service comes back by itself'],
  ],
]

describe('The invariant checker of `npm run chaos`', () => {
  it('has nothing to say about an honest history', () => {
    assert.deepEqual(findMismatches(honest()), [])
  })

  for (const [lie, tell, invariants] of LIES) {
    it(`names ${lie}`, () => {
      const history = honest()
      tell(history)
      const found = new Set(findMismatches(history).map(({ invariant }) => invariant))
      assert.deepEqual([...found].toSorted(), invariants.toSorted())
    })
  }

  it('has no sentence that none of these lies contradicts', () => {
    const named = new Set(LIES.flatMap(([, , invariants]) => invariants))
    assert.deepEqual([...named].toSorted(), INVARIANT_NAMES.toSorted())
  })
})

describe('The plan of a run', () => {
  it('is the same for the same seed, and another one for another (S116)', () => {
    assert.deepEqual(planRound(7), planRound(7))
    assert.notDeepEqual(planRound(7), planRound(8))
  })

  it('does every harm once before it does one again', () => {
    const { lanes } = planRound(7)
    assert.equal(lanes.length, LANES.length)
    for (const [number, faults] of LANES.entries()) {
      const first = lanes[number]?.slice(0, faults.length).map(({ fault }) => fault)
      assert.deepEqual(first?.toSorted(), [...faults].sort())
    }
  })
})
