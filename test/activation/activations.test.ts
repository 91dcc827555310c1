import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  asHashes,
  matchRows as matchWanted,
  rejectForeignHashes as rejectForeign,
  type WantedDigest,
} from '../../src/activation/activations.js'
import type { Authorisation, AuthorisedDigest } from '../../src/activation/authorisation.js'
import { HashNotAuthorizedError, isServiceError, TooManySignaturesError } from '../../src/errors.js'
import { digestOf, SHA256, SHA384 } from '../support/rssp.js'

const SCAL2 = { SCAL: '2' } as const
const SCAL1 = { SCAL: '1' } as const

function authorisation(rows: readonly Partial<AuthorisedDigest>[]): Authorisation {
  const at = new Date(0)
  return {
    id: 'a',
    transactionId: 't',
    clientId: 'c',
    userId: 'u',
    credentialId: 'k',
    hashAlgorithm: SHA256,
    numSignatures: rows.length,
    createdAt: at,
    expiresAt: at,
    revokedAt: null,
    extendedAt: null,
    digests: rows.map((row, index) => ({
      id: String(index),
      digest: null,
      hashType: null,
      state: 'authorised',
      binding: null,
      ...row,
    })),
  }
}

const matchRows = (
  ledger: Authorisation,
  credential: { readonly SCAL: '1' | '2' },
  digests: readonly Buffer[],
  hash: string,
) => matchWanted(ledger, credential, asHashes(digests), [hash])

const rejectForeignHashes = (
  ledger: Authorisation,
  credential: { readonly SCAL: '1' | '2' },
  digests: readonly Buffer[],
) => rejectForeign(ledger, credential, asHashes(digests))

describe('Matching digests with what was authorised (S1)', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((text) => digestOf(text)) as [Buffer, Buffer, Buffer]

  it('takes one row for each digest, in any order', () => {
    const rows = matchRows(authorisation([{ digest: a }, { digest: b }]), SCAL2, [b, a], SHA256)
    assert.deepEqual(
      rows.map(({ rowId }) => rowId),
      ['1', '0'],
    )
  })

  it('never takes a row twice', () => {
    assert.throws(
      () => matchRows(authorisation([{ digest: a }, { digest: b }]), SCAL2, [a, a], SHA256),
      HashNotAuthorizedError,
    )
  })

  it('refuses a batch with one foreign digest at any place', () => {
    const known = authorisation([{ digest: a }, { digest: b }, { digest: a }])
    for (let place = 0; place < 3; place += 1) {
      const batch = [a, b].toSpliced(place, 0, c)
      assert.throws(() => matchRows(known, SCAL2, batch, SHA256), HashNotAuthorizedError)
    }
  })

  it('refuses another hash algorithm than was authorised, whatever the bytes (S5)', () => {
    assert.throws(
      () => matchRows(authorisation([{ digest: a }]), SCAL2, [a], SHA384),
      HashNotAuthorizedError,
    )
  })

  for (const state of ['reserved', 'consumed', 'indeterminate'] as const) {
    it(`refuses a row that is ${state}`, () => {
      assert.throws(() =>
        matchRows(authorisation([{ digest: a, state }, { digest: b }]), SCAL2, [a], SHA256),
      )
    })
  }

  it('takes a row that was released', () => {
    const released = authorisation([{ digest: a, state: 'released' }])
    assert.equal(matchRows(released, SCAL2, [a], SHA256).length, 1)
  })

  it('fills open rows with any digest at SCAL 1, and never at SCAL 2', () => {
    const open = authorisation([{ digest: null }])
    assert.equal(matchRows(open, SCAL1, [c], SHA256).length, 1)
    assert.throws(() => matchRows(open, SCAL2, [c], SHA256), HashNotAuthorizedError)
  })

  it('refuses more digests than signatures are left (S6)', () => {
    const open = authorisation([{ digest: null }, { digest: null, state: 'consumed' }])
    assert.throws(() => matchRows(open, SCAL1, [a, b], SHA256), TooManySignaturesError)
  })

  it('authorises a request exactly when it is a sub-multiset of the unspent rows', () => {
    const digests = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 8 })
    fc.assert(
      fc.property(digests, digests, (authorised, requested) => {
        const ledger = authorisation(authorised.map((n) => ({ digest: digestOf(String(n)) })))
        const left = [...authorised]
        const covered = requested.every((n) => {
          const index = left.indexOf(n)
          if (index >= 0) left.splice(index, 1)
          return index >= 0
        })
        assert.equal(
          accepts(
            ledger,
            requested.map((n) => digestOf(String(n))),
          ),
          covered,
        )
      }),
      { numRuns: 500, seed: 20261122 },
    )
  })

  it('tells a foreign digest from a spent one', () => {
    const spent = authorisation([{ digest: a, state: 'consumed' }])
    rejectForeignHashes(spent, SCAL2, [a])
    assert.throws(() => {
      rejectForeignHashes(spent, SCAL2, [b])
    }, HashNotAuthorizedError)
  })
})

function accepts(ledger: Authorisation, digests: readonly Buffer[]): boolean {
  try {
    return matchRows(ledger, SCAL2, digests, SHA256).length === digests.length
  } catch (error) {
    if (isServiceError(error)) return false
    throw error
  }
}

describe('Digests of documents and digests that are signed (S1, S62)', () => {
  const a = digestOf('a')
  const derived = { toBeSigned: digestOf('attributes'), derivation: 'named' } as const
  const document: WantedDigest = { digest: a, as: ['sodr', 'sdr'], derived }
  const prepared: WantedDigest = { digest: a, as: ['sdr'], derived }
  const [hash] = asHashes([a])
  assert.ok(hash)
  const agreedAs = (hashType: AuthorisedDigest['hashType']) =>
    authorisation([{ digest: a, hashType }])

  function assertMatches(ledger: Authorisation, wanted: WantedDigest, matches: boolean): void {
    if (matches) {
      rejectForeign(ledger, SCAL2, [wanted])
      assert.equal(matchWanted(ledger, SCAL2, [wanted], [SHA256]).length, 1)
    } else {
      assert.throws(() => rejectForeign(ledger, SCAL2, [wanted]), HashNotAuthorizedError)
      assert.throws(() => matchWanted(ledger, SCAL2, [wanted], [SHA256]), HashNotAuthorizedError)
    }
  }

  const cases = [
    { hashType: 'dtbsr', asHash: true, asDigest: false, asDocument: false },
    { hashType: 'sdr', asHash: false, asDigest: true, asDocument: true },
    { hashType: 'sodr', asHash: false, asDigest: false, asDocument: true },
    { hashType: null, asHash: true, asDigest: true, asDocument: true },
  ] as const
  for (const { hashType, asHash, asDigest, asDocument } of cases) {
    it(`holds a digest agreed to as ${hashType ?? 'nothing in particular'} to its uses`, () => {
      assertMatches(agreedAs(hashType), hash, asHash)
      assertMatches(agreedAs(hashType), prepared, asDigest)
      assertMatches(agreedAs(hashType), document, asDocument)
    })
  }

  it('spends the digest that was agreed to as just this before one that may be anything', () => {
    const ledger = authorisation([
      { digest: a, hashType: null },
      { digest: a, hashType: 'sodr' },
    ])
    const [row] = matchWanted(ledger, SCAL2, [document], [SHA256])
    assert.deepEqual(row, { rowId: '1', digest: a, derived })
  })

  it('spends a digest that was agreed to once on one of hash and document, not on both', () => {
    assert.throws(
      () => matchWanted(agreedAs(null), SCAL2, [hash, document], [SHA256]),
      TooManySignaturesError,
    )
  })

  it('signs the digest itself where nothing was derived from it', () => {
    const [row] = matchWanted(agreedAs(null), SCAL2, [hash], [SHA256])
    assert.deepEqual(row, { rowId: '0', digest: a })
  })
})
