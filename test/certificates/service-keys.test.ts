import assert from 'node:assert/strict'
import { verify, X509Certificate } from 'node:crypto'
import { parseCertificate } from '../../src/certificates/certificate.js'
import { EmbeddedAuthority } from '../../src/certificates/embedded/embedded-authority.js'
import { certificateProfile, OCSP_SETTINGS, TSA_SETTINGS } from '../../src/certificates/profiles.js'
import { ServiceKeys } from '../../src/certificates/service-keys.js'
import { SignatureWithheldError } from '../../src/errors.js'
import { verifyDigest } from '../../src/keys/digest-verifier.js'
import type { KeyCustody } from '../../src/keys/key-custody.js'
import { MemoryAuthorityStore, MemoryCertificateStore } from '../support/authority-store.js'
import { opensslText, opensslVerifiesChain } from '../support/openssl.js'
import { openTestCustody } from '../support/softhsm.js'
import {
  certificateList,
  responseData,
  timestampAttributes,
  tstInfo,
} from '../support/statements.js'

const subject = { organization: 'Example Trust', country: 'DE' }
const profiles = { ocsp: certificateProfile(OCSP_SETTINGS), tsa: certificateProfile(TSA_SETTINGS) }

describe('The keys of our own services', () => {
  let custody: KeyCustody
  let store: MemoryAuthorityStore
  const issued = new MemoryCertificateStore()
  let authority: EmbeddedAuthority
  let later = 0
  const now = () => new Date(Date.now() + later)

  const openKeys = (changes: Partial<{ custody: KeyCustody; store: MemoryAuthorityStore }> = {}) =>
    new ServiceKeys({
      custody,
      store,
      ...{ authority, issued },
      subject,
      profiles,
      now,
      verify: verifyDigest,
      ...changes,
    })

  before(async () => {
    custody = await openTestCustody()
    store = new MemoryAuthorityStore()
    const publicationUrl = 'http://127.0.0.1:8700'
    authority = await EmbeddedAuthority.open({
      ...{ custody, store, now, subject, publicationUrl },
      issued,
    })
  })
  beforeEach(() => (later = 0))

  it('are certified by the issuing authority for one purpose each', async () => {
    const keys = openKeys()
    const [tsa, ocsp] = [await keys.open('tsa'), await keys.open('ocsp')]
    for (const { certificate, chain } of [tsa, ocsp]) {
      const [issuing, root] = chain
      assert.ok(issuing && root)
      assert.ok(opensslVerifiesChain(certificate, issuing, root).ok)
    }
    const [tsaText, ocspText] = [tsa, ocsp].map(({ certificate }) =>
      opensslText(certificate, '-text'),
    )
    assert.match(tsaText ?? '', /Extended Key Usage: critical\s+Time Stamping\n/)
    assert.match(
      tsaText ?? '',
      /Subject: C = DE, O = Example Trust, CN = Example Trust Time-Stamping Unit/,
    )
    assert.match(tsaText ?? '', /OCSP - URI:http:\/\/127\.0\.0\.1:8700\/ocsp/)
    assert.match(ocspText ?? '', /Extended Key Usage: \s+OCSP Signing\n/)
    assert.match(ocspText ?? '', /OCSP No Check:/)
    assert.doesNotMatch(ocspText ?? '', /CRL Distribution|OCSP - URI/)
  })

  it('sign statements of their kind, verified', async () => {
    const keys = openKeys()
    const [tsa, ocsp] = [await keys.open('tsa'), await keys.open('ocsp')]
    const info = tstInfo(now())
    const attributes = timestampAttributes(info)
    const key = new X509Certificate(tsa.certificate).publicKey
    assert.ok(verify('sha256', attributes, key, await tsa.sign(attributes, info)))
    const data = responseData()
    const responder = new X509Certificate(ocsp.certificate).publicKey
    assert.ok(verify('sha256', data, responder, await ocsp.sign(data)))
  })

  it('sign no statement of another kind, and nothing that is none', async () => {
    const keys = openKeys()
    const [tsa, ocsp] = [await keys.open('tsa'), await keys.open('ocsp')]
    const info = tstInfo(now())
    const attributes = timestampAttributes(info)
    const wrong = [
      () => tsa.sign(responseData(), info),
      () => tsa.sign(certificateList(), info),
      () => tsa.sign(Buffer.alloc(0), info),
      () => tsa.sign(Buffer.concat([attributes, Buffer.of(0)]), info),
      () => tsa.sign(attributes, tstInfo(new Date(0))),
      () => tsa.sign(timestampAttributes(info, { contentType: '1.2.840.113549.1.7.1' }), info),
      () => tsa.sign(timestampAttributes(info, { bare: true }), info),
      () => tsa.sign(timestampAttributes(info, { twice: true }), info),
      () => ocsp.sign(attributes),
      () => ocsp.sign(certificateList()),
    ]
    for (const sign of wrong) await assert.rejects(sign(), { message: /^This is no / })
  })

  it('are made once, by whichever replica comes first', async () => {
    const shared = new MemoryAuthorityStore()
    const replicas = Array.from({ length: 4 }, () => openKeys({ store: shared }))
    const opened = await Promise.all(replicas.map((keys) => keys.open('tsa')))
    const certificates = opened.map(({ certificate }) => certificate.toString('hex'))
    assert.equal(new Set(certificates).size, 1)
    const again = await openKeys({ store: shared }).open('tsa')
    assert.ok(certificates.includes(again.certificate.toString('hex')))
  })

  it('sign nothing before and after their certificate is valid', async () => {
    const tsa = await openKeys().open('tsa')
    const info = tstInfo(now())
    for (const days of [-1, 1_827]) {
      later = days * 86_400_000
      await assert.rejects(tsa.sign(timestampAttributes(info), info), /is not valid now/)
    }
  })

  it('are followed by another in time, while others still use the one before', async () => {
    const shared = new MemoryAuthorityStore()
    const [keys, replica] = [openKeys({ store: shared }), openKeys({ store: shared })]
    const first = await keys.open('tsa')
    const seen = await replica.open('tsa')
    await keys.prepare()
    assert.deepEqual((await keys.open('tsa')).certificate, first.certificate)
    later = 366 * 86_400_000
    await keys.prepare()
    const next = await keys.open('tsa')
    assert.notDeepEqual(next.certificate, first.certificate)
    await replica.prepare()
    assert.deepEqual(shared.records.get('tsa')?.certificate, next.certificate)
    const info = tstInfo(now())
    for (const key of [seen, next]) await key.sign(timestampAttributes(info), info)
  })

  it('can be replaced at once, and the certificate of one that was stolen revoked', async () => {
    const shared = new MemoryAuthorityStore()
    const keys = openKeys({ store: shared })
    const stolen = await keys.open('tsa')
    assert.ok(await keys.renew('tsa', 'keyCompromise'))
    const { serialNumber } = parseCertificate(stolen.certificate)
    assert.equal(issued.certificates.get(serialNumber)?.revocation?.reason, 'keyCompromise')
    const next = await keys.open('tsa')
    assert.notDeepEqual(next.certificate, stolen.certificate)
    assert.ok(await keys.renew('tsa', null))
    const { revocation } =
      issued.certificates.get(parseCertificate(next.certificate).serialNumber) ?? {}
    assert.equal(revocation, null)
  })

  it('are not taken from a store that was tampered with', async () => {
    await openKeys().open('tsa')
    const [tsa, ocsp] = [store.records.get('tsa'), store.records.get('ocsp')]
    assert.ok(tsa && ocsp)
    const bad = new MemoryAuthorityStore()
    bad.records.set('tsa', { ...tsa, keyId: ocsp.keyId })
    await assert.rejects(openKeys({ store: bad }).open('tsa'), /is for another key/)
    bad.records.set('tsa', { ...tsa, keyId: '0'.repeat(32) })
    await assert.rejects(openKeys({ store: bad }).open('tsa'), /is not in the token/)
    const certificate = Buffer.from(tsa.certificate)
    certificate.writeUInt8(
      certificate.readUInt8(certificate.length - 1) ^ 1,
      certificate.length - 1,
    )
    bad.records.set('tsa', { ...tsa, certificate })
    await assert.rejects(openKeys({ store: bad }).open('tsa'), /has a wrong signature/)
  })

  it('withhold signatures that do not verify', async () => {
    const { keyId: other } = await custody.generate('p-256')
    const lying: KeyCustody = {
      generate: (...call) => custody.generate(...call),
      publicKey: (keyId) => custody.publicKey(keyId),
      destroy: (keyId) => custody.destroy(keyId),
      ready: () => custody.ready(),
      close: () => custody.close(),
      sign: (_, digests, algorithm) => custody.sign(other, digests, algorithm),
    }
    const tsa = await openKeys({ custody: lying }).open('tsa')
    const info = tstInfo(now())
    await assert.rejects(tsa.sign(timestampAttributes(info), info), SignatureWithheldError)
  })
})
