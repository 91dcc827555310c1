import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'
import { bytesOf, childrenOf, readElement } from '../../src/certificates/asn1.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { SigningPki } from '../support/signing-pki.js'
import { examined, remembering } from './examined.js'

const TEXT = Buffer.from('I owe you ten euros.\n')
const DATA = '1.2.840.113549.1.7.1'
const CONTENT_TYPE = '1.2.840.113549.1.9.3'
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4'
const SIGNING_TIME = '1.2.840.113549.1.9.5'
const ALGORITHM_PROTECTION = '1.2.840.113549.1.9.52'
const SIGNING_CERTIFICATE = '1.2.840.113549.1.9.16.2.12'
const SIGNING_CERTIFICATE_V2 = '1.2.840.113549.1.9.16.2.47'
const SHA256 = '2.16.840.1.101.3.4.2.1'
const SHA384 = '2.16.840.1.101.3.4.2.2'
const ECDSA_SHA256 = '1.2.840.10045.4.3.2'
const ECDSA = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}
const sequence = (...parts: readonly Buffer[]) => tagged(0x30, ...parts)
const set = (...parts: readonly Buffer[]) => tagged(0x31, ...parts)
const octets = (bytes: Buffer) => tagged(0x04, bytes)
const oid = (value: string) => Buffer.from(new asn1js.ObjectIdentifier({ value }).toBER())
const attribute = (type: string, value: Buffer) => sequence(oid(type), set(value))
const time = (text: string) => attribute(SIGNING_TIME, tagged(0x17, Buffer.from(text)))
const digest = (bytes: Buffer, hash = 'sha256') => createHash(hash).update(bytes).digest()

const typed = attribute(CONTENT_TYPE, oid(DATA))
const digested = attribute(MESSAGE_DIGEST, octets(digest(TEXT)))

describe('Verification of a CMS that was made to mislead (S65)', () => {
  let pki: SigningPki
  let certificate: Buffer
  let material: Awaited<ReturnType<SigningPki['validationData']>>
  /** Issuer and serial number of the signer. */
  let issuer: Buffer
  let serial: Buffer

  before(async () => {
    pki = new SigningPki()
    ;({ certificate } = pki.signer('p-256'))
    material = await remembering(pki).validationData([certificate])
    const fields = childrenOf(childrenOf(readElement(certificate))[0])
    ;[serial, issuer] = [bytesOf(fields[1]), bytesOf(fields[3])]
  })
  after(() => pki.close())

  /** Signed with what its signer wanted signed, whatever that is. */
  function signed(attributes: readonly Buffer[], form: 'DER' | 'indefinite' = 'DER'): Buffer {
    const all = Buffer.concat(attributes)
    const implicit =
      form === 'DER'
        ? tagged(0xa0, all)
        : Buffer.concat([Buffer.of(0xa0, 0x80), all, Buffer.of(0, 0)])
    const toBeSigned = Buffer.from(implicit)
    toBeSigned[0] = 0x31
    const signerInfo = sequence(
      ...[tagged(0x02, Buffer.of(1)), sequence(issuer, serial), sequence(oid(SHA256))],
      ...[implicit, sequence(oid(ECDSA_SHA256))],
      octets(pki.signer('p-256').sign(toBeSigned, ECDSA)),
    )
    const signedData = sequence(
      ...[tagged(0x02, Buffer.of(1)), set(sequence(oid(SHA256)))],
      sequence(oid(DATA), tagged(0xa0, octets(TEXT))),
      ...[tagged(0xa0, certificate), set(signerInfo)],
    )
    return sequence(oid('1.2.840.113549.1.7.2'), tagged(0xa0, signedData))
  }

  const naming = (hash: Buffer, ...more: readonly Buffer[]) =>
    attribute(SIGNING_CERTIFICATE_V2, sequence(sequence(sequence(octets(hash), ...more))))
  const namingAsBefore = (hash: Buffer) =>
    attribute(SIGNING_CERTIFICATE, sequence(sequence(sequence(octets(hash)))))
  const issuerSerial = (number: Buffer) => sequence(sequence(tagged(0xa4, issuer)), number)
  const protecting = (hash: string) =>
    attribute(ALGORITHM_PROTECTION, sequence(sequence(oid(hash)), tagged(0xa1, oid(ECDSA_SHA256))))
  const examine = (cms: Buffer) => examined(cms, [pki.root], { material })

  it('passes one that says all it has to, and says it rightly', async () => {
    const report = await examine(
      signed([
        ...[typed, digested, time('260101000000Z'), protecting(SHA256)],
        naming(digest(certificate), issuerSerial(serial)),
        namingAsBefore(digest(certificate, 'sha1')),
      ]),
    )
    const [signature] = report.signatures
    assert.deepEqual(
      [signature?.indication, signature?.format],
      ['TOTAL-PASSED', 'CAdES'],
      JSON.stringify(signature?.findings),
    )
  })

  const misleading: Record<string, [() => readonly Buffer[], string]> = {
    'no type of the content': [() => [digested], 'attributes-missing'],
    'another type of the content': [
      () => [attribute(CONTENT_TYPE, oid('1.2.840.113549.1.9.16.1.4')), digested],
      'attributes-missing',
    ],
    'no digest': [() => [typed], 'attributes-missing'],
    'two digests': [() => [typed, digested, digested], 'attributes-missing'],
    'two times': [
      () => [typed, digested, time('260101000000Z'), time('270101000000Z')],
      'attributes-missing',
    ],
    'another digest': [
      () => [typed, attribute(MESSAGE_DIGEST, octets(digest(certificate)))],
      'content-changed',
    ],
    'the name of another certificate': [
      () => [typed, digested, naming(digest(TEXT))],
      'other-certificate-named',
    ],
    'the name of another certificate in one of two attributes': [
      () => [
        ...[typed, digested, naming(digest(certificate))],
        namingAsBefore(digest(TEXT, 'sha1')),
      ],
      'other-certificate-named',
    ],
    'the serial number of another certificate': [
      () => [
        ...[typed, digested],
        naming(digest(certificate), issuerSerial(tagged(0x02, Buffer.of(7)))),
      ],
      'other-certificate-named',
    ],
    'another algorithm, protected as such': [
      () => [typed, digested, protecting(SHA384)],
      'algorithm-unprotected',
    ],
  }
  for (const [what, [attributes, code]] of Object.entries(misleading)) {
    it(`does not pass one that says ${what}`, async () => {
      const [signature] = (await examine(signed(attributes()))).signatures
      assert.notEqual(signature?.indication, 'TOTAL-PASSED')
      const codes: readonly string[] = signature?.findings.map((each) => each.code) ?? []
      assert.ok(codes.includes(code), JSON.stringify(signature?.findings))
    })
  }

  it('does not pass one whose signed attributes are not DER', async () => {
    const { indication } = await examine(signed([typed, digested], 'indefinite'))
    assert.equal(indication, 'TOTAL-FAILED')
  })
})
