import assert from 'node:assert/strict'
import { createHash, sign } from 'node:crypto'
import * as asn1js from 'asn1js'
import { AlgorithmIdentifier, CertID, Extension, OCSPRequest, Request, TBSRequest } from 'pkijs'
import { parseCertificate } from '../../src/certificates/certificate.js'
import { NONCE } from '../../src/certificates/ocsp/request.js'
import { OcspResponder } from '../../src/certificates/ocsp/responder.js'
import { keyHash } from '../../src/certificates/ocsp/response.js'
import type { Revocation } from '../../src/certificates/revocation.js'
import type { OcspKey } from '../../src/certificates/service-keys.js'
import { HsmUnavailableError } from '../../src/errors.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { EKU, makeUp, type MadeUp } from '../support/made-up-pki.js'
import { TestClock } from '../support/rssp.js'

const MINUTE = 60

describe('The OCSP responder while its key is away', () => {
  const issuing = makeUp({ name: 'Issuing', authority: true })
  const unit = makeUp({ name: 'Responder', issuer: issuing, eku: [EKU.ocspSigning] })
  const leaf = makeUp({ name: 'Eva', issuer: issuing })
  const plain = requestAbout(leaf)
  const withNonce = requestAbout(leaf, Buffer.alloc(16, 7))
  let clock: TestClock
  let isAway: boolean
  let revocation: Revocation | null
  let responder: OcspResponder

  const key: OcspKey = {
    ...{ certificate: unit.certificate, chain: [issuing.certificate] },
    algorithm: { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 },
    sign: (data) =>
      isAway
        ? Promise.reject(new HsmUnavailableError('away'))
        : Promise.resolve(sign('sha256', data, unit.key)),
  }

  beforeEach(() => {
    clock = new TestClock()
    isAway = false
    revocation = null
    responder = new OcspResponder({
      issued: { find: () => Promise.resolve({ profile: 'signer', revocation }) },
      keys: { open: () => Promise.resolve(key) } as never,
      issuer: parseCertificate(issuing.certificate),
      now: clock.now,
    })
  })

  const answer = async (request = plain) => (await responder.answer(request)).bytes

  it('goes on giving what it signed before, for as long as that is good', async () => {
    const first = await answer()
    isAway = true
    clock.advance(59 * MINUTE)
    assert.deepEqual(await answer(), first)
    assert.deepEqual(await answer(withNonce), first)
    clock.advance(MINUTE)
    await assert.rejects(answer(), HsmUnavailableError)
    isAway = false
    assert.notDeepEqual(await answer(), first)
  })

  it('says nothing of what was revoked meanwhile, rather than that it is good', async () => {
    await answer()
    isAway = true
    revocation = { at: clock.now(), reason: 'keyCompromise' }
    await assert.rejects(answer(), HsmUnavailableError)
    await assert.rejects(answer(withNonce), HsmUnavailableError)
  })

  it('gives nothing older to who asks since when it was said', async () => {
    const certificate = parseCertificate(leaf.certificate)
    const first = await responder.current(certificate)
    isAway = true
    clock.advance(2)
    assert.deepEqual(await responder.current(certificate), first)
    await assert.rejects(responder.current(certificate, clock.now()), HsmUnavailableError)
  })
})

function requestAbout({ issuer, serial }: MadeUp, nonce?: Buffer): Buffer {
  assert.ok(issuer)
  const { subjectName, publicKey } = parseCertificate(issuer.certificate)
  const octets = (valueHex: Buffer) => new asn1js.OctetString({ valueHex })
  const sha1 = createHash('sha1').update(subjectName).digest()
  const reqCert = new CertID({
    hashAlgorithm: new AlgorithmIdentifier({ algorithmId: '1.3.14.3.2.26' }),
    ...{ issuerNameHash: octets(sha1), issuerKeyHash: octets(keyHash(publicKey)) },
    serialNumber: new asn1js.Integer({ valueHex: serial }),
  })
  const extnValue = octets(nonce ?? Buffer.alloc(0)).toBER()
  const requestExtensions = [new Extension({ extnID: NONCE, extnValue })]
  const tbsRequest = new TBSRequest({
    requestList: [new Request({ reqCert })],
    ...(nonce ? { requestExtensions } : {}),
  })
  return Buffer.from(new OCSPRequest({ tbsRequest }).toSchema(true).toBER())
}
