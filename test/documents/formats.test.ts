import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { PDF } from '@libpdf/core'
import type { AdesFormat, SignatureParameters } from '../../src/documents/ades.js'
import { FORMATS } from '../../src/documents/formats.js'
import { prepareDocument, type DocumentRequest } from '../../src/documents/prepared-document.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { SigningPki } from '../support/signing-pki.js'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest()

/** What all formats owe those who keep the ledger (ades.ts). */
describe('Signature formats', () => {
  const pki = new SigningPki()
  const signatory = pki.signer('p-256')
  const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
  const facts = { algorithm, signatory, signingTime: new Date('2026-11-22T12:00:00Z') }
  const documents: Partial<Record<string, Buffer>> = {}

  before(async () => {
    const pdf = PDF.create()
    pdf.addPage()
    documents['P'] = Buffer.from(await pdf.save())
    documents['X'] = Buffer.from('<contract><party>A</party></contract>')
  })
  after(() => pki.close())

  for (const format of Object.values(FORMATS)) {
    describe(format.format, () => {
      let loaded: AdesFormat
      before(async () => {
        loaded = await format.load()
      })
      const document = () => documents[format.format] ?? Buffer.from('a document')
      const request = (envelope: SignatureParameters['envelope']) => ({
        ...({ format: format.format, level: 'B-B', envelope, signedProperties: [] } as const),
        referenceUri: 'https://docs.example/1',
      })
      const prepared = (asked: DocumentRequest) => prepareDocument(loaded, asked, facts)

      it('is as the registry describes it before it is loaded', () => {
        const { documentEnvelopes, digestEnvelopes } = loaded
        const described = [format.documentEnvelopes, format.digestEnvelopes]
        assert.deepEqual([documentEnvelopes, digestEnvelopes], described)
      })

      for (const envelope of format.documentEnvelopes.filter((each) => each !== 'Parallel')) {
        it(`prepares a document the same every time: ${envelope}`, async () => {
          const asked = { ...request(envelope), content: { document: document() } }
          const [one, two] = [await prepared(asked), await prepared(asked)]
          assert.deepEqual(one.signature.toBeSigned, two.signature.toBeSigned)
          assert.deepEqual(one.documentDigest, sha256(document()))
        })
      }

      for (const envelope of format.digestEnvelopes) {
        it(`names the digest in what is signed, the same every time: ${envelope}`, async () => {
          const asked = {
            ...request(envelope),
            content: { digest: sha256(Buffer.from('prepared')) },
          }
          const [one, two] = [await prepared(asked), await prepared(asked)]
          assert.equal(one.derived.derivation, 'named')
          assert.deepEqual(one.signature.toBeSigned, two.signature.toBeSigned)
        })
      }
    })
  }
})
