import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { Jades } from '../../../src/documents/jades/jades.js'
import { UnfitDocumentError } from '../../../src/errors.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { mutated } from '../../support/mutated.js'
import { SigningPki } from '../../support/signing-pki.js'

describe('JAdES, given bytes of others', () => {
  const jades = new Jades()
  const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  it('refuses JSON of any shape that is no signature', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), async (text) => {
        await assert.rejects(prepare(Buffer.from(text)), UnfitDocumentError)
      }),
      { numRuns: 200 },
    )
  })

  it('refuses members of any kind where a signature has its own', async () => {
    const members = fc.record(
      {
        payload: fc.oneof(fc.constant('e30'), fc.json(), fc.anything()),
        protected: fc.oneof(fc.constant('e30'), fc.string(), fc.anything()),
        signature: fc.oneof(fc.constant('AAAA'), fc.anything()),
        header: fc.anything(),
        signatures: fc.array(fc.anything()),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(members, async (jws) => {
        await takenOrRefused(Buffer.from(textOf(jws)))
      }),
      { numRuns: 200 },
    )
  })

  it('takes a broken signature as it stands, or refuses it', async () => {
    const existing = (await signature('Attached', Buffer.from('I owe you ten euros.'))).bytes
    await fc.assert(
      fc.asyncProperty(mutated(existing), async (bytes) => takenOrRefused(bytes)),
      { numRuns: 150 },
    )
  })

  it('refuses nesting without end', async () => {
    await assert.rejects(prepare(Buffer.from('['.repeat(200_000))), UnfitDocumentError)
    const header = `${'{"a":'.repeat(100_000)}0${'}'.repeat(100_000)}`
    await takenOrRefused(
      Buffer.from(`{"payload":"e30","protected":"e30","signature":"AA","header":${header}}`),
    )
  })

  async function takenOrRefused(bytes: Buffer): Promise<void> {
    const outcome = await signature('Parallel', bytes).catch((error: unknown) => error)
    if (outcome instanceof Error) assert.ok(outcome instanceof UnfitDocumentError, outcome)
  }

  async function signature(envelope: 'Attached' | 'Parallel', document: Buffer) {
    const prepared = await prepare(document, envelope)
    return prepared.complete(pki.signer('p-256').sign(prepared.toBeSigned, algorithm), pki)
  }

  function prepare(document: Buffer, envelope: 'Attached' | 'Parallel' = 'Parallel') {
    return jades.prepareDocument(document, {
      ...{ level: 'B-B', envelope, algorithm },
      signatory: pki.signer('p-256'),
      signingTime: new Date('2026-11-22T10:11:12Z'),
      signedProperties: [],
      referenceUri: null,
    })
  }
})

/** What cannot be said in JSON is left out. */
function textOf(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return 'null'
  }
}
