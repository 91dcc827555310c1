import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import * as asn1js from 'asn1js'
import fc from 'fast-check'
import {
  assembleRequest,
  encodeRequestInfo,
  readCertificationRequest,
} from '../../src/certificates/certification-request.js'
import { sequenceOf } from '../../src/certificates/der.js'
import { encodeName } from '../../src/certificates/distinguished-name.js'
import { MalformedOcspRequestError, readOcspRequest } from '../../src/certificates/ocsp/request.js'
import { isStatement } from '../../src/certificates/statement.js'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../src/keys/algorithms.js'
import type { StatementKind } from '../../src/keys/key-custody.js'
import { mutated } from '../support/mutated.js'
import {
  certificateList,
  responseData,
  timestampAttributes,
  tstInfo,
} from '../support/statements.js'

const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 }
const der = (block: asn1js.AsnType) => Buffer.from(block.toBER())

describe('Hostile ASN.1 (S64)', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const info = encodeRequestInfo({ subject: encodeName({ commonName: 'Eva' }), publicKey: spki })
  const csr = assembleRequest(info, sign('sha256', info, privateKey), ECDSA)

  /** About one certificate, with a nonce. @param more behind the certificate, and behind all of it */
  function ocspRequest(more: { single?: Buffer; outer?: Buffer[] } = {}): Buffer {
    const { single, outer = [] } = more
    const sha1 = sequenceOf(der(new asn1js.ObjectIdentifier({ value: '1.3.14.3.2.26' })))
    const hash = der(new asn1js.OctetString({ valueHex: Buffer.alloc(20, 1) }))
    const serial = der(new asn1js.Integer({ value: 4711 }))
    const id = sequenceOf(sha1, hash, hash, serial)
    const list = sequenceOf(single ? sequenceOf(id, single) : sequenceOf(id))
    const nonce = new asn1js.OctetString({ valueHex: Buffer.alloc(16, 2) })
    const extension = new asn1js.Sequence({
      value: [
        new asn1js.ObjectIdentifier({ value: '1.3.6.1.5.5.7.48.1.2' }),
        new asn1js.OctetString({ valueHex: nonce.toBER() }),
      ],
    })
    const extensions = new asn1js.Constructed({
      idBlock: { tagClass: 3, tagNumber: 2 },
      value: [new asn1js.Sequence({ value: [extension] })],
    })
    return sequenceOf(sequenceOf(list, der(extensions)), ...outer)
  }

  const tagged = (tagNumber: number, ...value: asn1js.AsnType[]) =>
    der(new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber }, value }))

  it('in OCSP requests is refused when it is critical and unknown, for one certificate as for all', () => {
    const extension = (critical: boolean) =>
      new asn1js.Sequence({
        value: [
          new asn1js.ObjectIdentifier({ value: '1.2.3.4' }),
          ...(critical ? [new asn1js.Boolean({ value: true })] : []),
          new asn1js.OctetString({ valueHex: new Uint8Array([5, 0]) }),
        ],
      })
    const single = (critical: boolean) =>
      tagged(0, new asn1js.Sequence({ value: [extension(critical)] }))
    readOcspRequest(ocspRequest({ single: single(false) }))
    assert.throws(() => readOcspRequest(ocspRequest({ single: single(true) })), /critical/)
  })

  it('in OCSP requests is refused where nothing belongs', () => {
    const nothing = der(new asn1js.Null())
    const signature = tagged(0, new asn1js.Sequence({ value: [] }))
    readOcspRequest(ocspRequest({ outer: [signature] })) // of whoever asks, which is not looked at
    const wrong = [{ single: nothing }, { outer: [nothing] }, { outer: [signature, nothing] }]
    for (const more of wrong) {
      assert.throws(() => readOcspRequest(ocspRequest(more)), MalformedOcspRequestError)
    }
  })

  it('in OCSP requests is malformed, and nothing worse', () => {
    const request = ocspRequest()
    assert.equal(readOcspRequest(request).certificates[0]?.serialNumber, '1267')
    const property = fc.property(mutated(request), (bytes) => {
      try {
        readOcspRequest(bytes)
      } catch (error) {
        assert.ok(error instanceof MalformedOcspRequestError)
      }
    })
    fc.assert(property, { numRuns: 2_000 })
  })

  it('in certification requests proves possession of nothing', () => {
    assert.deepEqual(readCertificationRequest(csr).publicKey, spki)
    const property = fc.property(mutated(csr), (bytes) => {
      let taken
      try {
        taken = readCertificationRequest(bytes)
      } catch {
        return
      }
      // What was signed is what counts, and that is what it was.
      assert.deepEqual(taken, readCertificationRequest(csr))
    })
    fc.assert(property, { numRuns: 500 })
  })

  it('is one statement or none: no octets stand for two things', () => {
    const stamp = tstInfo(new Date())
    const samples = [certificateList(), responseData(), timestampAttributes(stamp), info]
    const kinds: StatementKind[] = ['crl', 'ocsp-response', 'timestamp', 'certificate-request']
    const kindsOf = (toBeSigned: Buffer) =>
      kinds.filter((kind) =>
        isStatement({
          ...{ kind, keyId: '', toBeSigned, algorithm: ECDSA },
          tstInfo: kind === 'timestamp' ? stamp : null,
        }),
      )
    samples.forEach((sample, index) => assert.deepEqual(kindsOf(sample), [kinds[index]]))
    for (const sample of samples) {
      const property = fc.property(mutated(sample), (bytes) => {
        assert.ok(kindsOf(bytes).length <= 1)
      })
      fc.assert(property, { numRuns: 300 })
    }
  })
})
