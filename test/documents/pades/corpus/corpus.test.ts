import { strict as assert } from 'node:assert'
import { Pades } from '../../../../src/documents/pades/pades.js'
import { HASH_ALGORITHMS } from '../../../../src/keys/algorithms.js'
import { pdfsig, qpdfCheck } from '../../../support/pdf-files.js'
import { SigningPki } from '../../../support/signing-pki.js'
import { LARGE_MEMBERS, MEMBERS } from './members.js'

const ALGORITHM = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const

/** `OPENRSSP_PDF_CORPUS=all` adds what takes minutes. */
const isComplete = process.env['OPENRSSP_PDF_CORPUS'] === 'all'

describe('PDFs of many producers', () => {
  const pades = new Pades()
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  for (const member of [...MEMBERS, ...(isComplete ? LARGE_MEMBERS : [])]) {
    it(`are signed twice, and both signatures hold: ${member.name}`, async () => {
      const document = await member.make()
      const known = qpdfCheck(document)
      const once = await sign(document, 'Certification')
      const twice = await sign(once, 'Revision')
      assert.ok(twice.subarray(0, document.length).equals(document))
      if (known === '') assert.equal(qpdfCheck(twice), '')
      const verdicts = pdfsig(twice).map(({ verdict, isTotal }) => [verdict, isTotal])
      assert.deepEqual(verdicts, [
        ['Signature is Valid.', false],
        ['Signature is Valid.', true],
      ])
    })
  }

  async function sign(document: Buffer, envelope: 'Certification' | 'Revision'): Promise<Buffer> {
    const prepared = await pades.prepareDocument(document, {
      ...{ level: 'B-B', envelope, algorithm: ALGORITHM, signatory: pki.signer('p-256') },
      ...{ signingTime: new Date(), signedProperties: [], referenceUri: null },
      appearance: { rect: { x: 0, y: 0, width: 3, height: 3 } },
    })
    const value = pki.signer('p-256').sign(prepared.toBeSigned, ALGORITHM)
    return (await prepared.complete(value, pki)).bytes
  }
})
