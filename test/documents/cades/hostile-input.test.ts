import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { Cades } from '../../../src/documents/cades/cades.js'
import { UnfitDocumentError } from '../../../src/errors.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { mutated } from '../../support/mutated.js'
import { SigningPki } from '../../support/signing-pki.js'

describe('CAdES, given bytes of others', () => {
  const cades = new Cades()
  let pki: SigningPki
  let existing: Buffer
  before(() => {
    pki = new SigningPki()
    pki.signer('p-256', 'first')
    existing = pki.opensslSign(Buffer.from('I owe you ten euros.'), 'first-p-256', [])
  })
  after(() => pki.close())

  it('refuses what is no signature and nothing else happens', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await assert.rejects(prepare(Buffer.from(bytes)), UnfitDocumentError)
      }),
      { numRuns: 300 },
    )
  })

  it('takes a broken signature as it stands, or refuses it', async () => {
    await fc.assert(
      fc.asyncProperty(mutated(existing), async (bytes) => {
        const outcome = await prepare(bytes).catch((error: unknown) => error)
        if (outcome instanceof Error) assert.ok(outcome instanceof UnfitDocumentError, outcome)
      }),
      { numRuns: 150 },
    )
  })

  it('refuses nesting without end', async () => {
    const deep = Buffer.concat(Array.from({ length: 50_000 }, () => Buffer.from([0x30, 0x80])))
    await assert.rejects(prepare(deep), UnfitDocumentError)
  })

  async function prepare(document: Buffer) {
    const signatory = pki.signer('p-256')
    const prepared = await cades.prepareDocument(document, {
      ...({ level: 'B-B', envelope: 'Parallel' } as const),
      algorithm: { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 },
      signatory,
      signingTime: new Date('2026-11-22T10:11:12Z'),
      signedProperties: [],
      referenceUri: null,
    })
    return prepared.complete(Buffer.alloc(70), pki)
  }
})
