import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { AdesFormat, EnvelopeProperty } from '../../src/documents/ades.js'
import { Asic } from '../../src/documents/asic/asic.js'
import { CadesSigner } from '../../src/documents/asic/cades-signer.js'
import { Cades } from '../../src/documents/cades/cades.js'
import { Jades } from '../../src/documents/jades/jades.js'
import { Pades } from '../../src/documents/pades/pades.js'
import { Xades } from '../../src/documents/xades/xades.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { mutated } from '../support/mutated.js'
import { SigningPki } from '../support/signing-pki.js'
import { writtenPdf } from '../support/written-pdf.js'
import { examined, remembering } from './examined.js'

const ALGORITHM = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
const TEXT = Buffer.from('I owe you ten euros.\n')
const RUNS = Number(process.env['OPENRSSP_FUZZ_RUNS'] ?? 12)
/** On a machine that has other things to do, too. */
const LONGEST_MS = 60_000

/** Each reader gets what was good once, with a few bytes changed: more runs by OPENRSSP_FUZZ_RUNS. */
describe('Verification of damaged documents (S64)', () => {
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  const kinds: readonly [string, AdesFormat, Buffer, EnvelopeProperty][] = [
    ['CMS', new Cades(), TEXT, 'Attached'],
    ['PDF', new Pades(), writtenPdf(), 'Revision'],
    ['XML', new Xades(), Buffer.from('<debt><owed>ten euros</owed></debt>'), 'Enveloped'],
    ['JWS', new Jades(), TEXT, 'Attached'],
    ['ASiC', new Asic(new CadesSigner(), 'ASiC-E'), TEXT, 'Detached'],
  ]
  for (const [name, ades, document, envelope] of kinds) {
    it(`always ends in a report, soon: ${name}`, async () => {
      const signatory = pki.signer('p-256')
      const prepared = await ades.prepareDocument(document, {
        ...{ level: 'B-LTA', envelope, algorithm: ALGORITHM, signatory },
        ...{ signingTime: new Date(), signedProperties: [], referenceUri: null },
      })
      const value = signatory.sign(prepared.toBeSigned, ALGORITHM)
      const { bytes } = await prepared.complete(value, remembering(pki))
      await fc.assert(
        fc.asyncProperty(mutated(bytes), async (damaged) => {
          const started = performance.now()
          const report = await examined(damaged, [pki.root])
          assert.ok(performance.now() - started < LONGEST_MS)
          if (damaged.equals(bytes)) assert.equal(report.indication, 'TOTAL-PASSED')
        }),
        { numRuns: RUNS },
      )
    })
  }

  it('always ends in a report: any bytes that begin like something', async () => {
    const heads = ['%PDF-1.7\n', '0\x82', '0\x80\x06\x09', '<a', '{"payload":', 'PK\x03\x04', 'eyJ']
    const document = fc
      .tuple(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 300 }))
      .map(([head, tail]) => Buffer.concat([Buffer.from(head, 'latin1'), tail]))
    await fc.assert(
      fc.asyncProperty(document, async (bytes) => {
        const { indication } = await examined(bytes, [pki.root])
        assert.notEqual(indication, 'TOTAL-PASSED')
      }),
      { numRuns: 5 * RUNS },
    )
  })
})
