import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { NO_URLS, type CertificatePlan } from '../../src/certificates/certificate-plan.js'
import { parseCertificate } from '../../src/certificates/certificate.js'
import { encodeName } from '../../src/certificates/distinguished-name.js'
import {
  assembleCertificate,
  CertificateLintError,
  lintCertificate,
} from '../../src/certificates/lint.js'
import { encodeToBeSigned } from '../../src/certificates/to-be-signed.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'

function ecKey(namedCurve = 'P-256'): Buffer {
  return generateKeyPairSync('ec', { namedCurve }).publicKey.export({ type: 'spki', format: 'der' })
}

const issuerKey = ecKey('P-384')
const issuerName = encodeName({ commonName: 'Example CA', organization: 'Example', country: 'DE' })

const ISSUER_PLAN: CertificatePlan = {
  serialNumber: Buffer.alloc(16, 0x41),
  issuer: issuerName,
  subject: issuerName,
  notBefore: new Date('2026-01-01T00:00:00Z'),
  notAfter: new Date('2036-01-01T00:00:00Z'),
  publicKey: issuerKey,
  issuerPublicKey: issuerKey,
  issuerAlgorithm: { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha384 },
  keyUsage: ['keyCertSign', 'cRLSign'],
  authority: { pathLength: 0 },
  policyOids: [],
  extendedKeyUsage: [],
  extendedKeyUsageIsCritical: false,
  urls: NO_URLS,
  ocspNoCheck: false,
  noRevocationAvailable: false,
  qcStatements: null,
  email: undefined,
}

const issuer = parseCertificate(
  assembleCertificate(
    lintCertificate(encodeToBeSigned(ISSUER_PLAN), ISSUER_PLAN, null),
    Buffer.from('3006020101020101', 'hex'),
  ),
)

const PLAN: CertificatePlan = {
  ...ISSUER_PLAN,
  serialNumber: Buffer.alloc(16, 0x42),
  subject: encodeName({ commonName: 'Eva' }),
  notBefore: new Date('2026-06-01T00:00:00Z'),
  notAfter: new Date('2028-06-01T00:00:00Z'),
  publicKey: ecKey(),
  keyUsage: ['contentCommitment'],
  authority: null,
  policyOids: ['1.2.3.4'],
  extendedKeyUsage: ['1.3.6.1.5.5.7.3.36'],
  email: 'eva@example.org',
}

function refuses(tbs: Buffer, plan: CertificatePlan, problem: RegExp, above = issuer) {
  assert.throws(
    () => lintCertificate(tbs, plan, above),
    (error) => {
      assert.ok(error instanceof CertificateLintError, String(error))
      assert.ok(
        error.problems.some((each) => problem.test(each)),
        `${error.problems.join('; ')} has no ${problem}`,
      )
      return true
    },
  )
}

/** Plans that nobody should make: what they say is wrong, although it is encoded faithfully. */
const BAD_PLANS: [string, Partial<CertificatePlan>, RegExp][] = [
  ['a zero serial number', { serialNumber: Buffer.alloc(16) }, /not DER/],
  ['a negative serial number', { serialNumber: Buffer.alloc(16, 0x80) }, /not positive/],
  ['a short serial number', { serialNumber: Buffer.alloc(7, 1) }, /bad length/],
  ['a serial number of 21 bytes', { serialNumber: Buffer.alloc(21, 1) }, /bad length/],
  ['no validity', { notAfter: PLAN.notBefore }, /never valid/],
  ['a validity turned round', { notAfter: new Date('2026-02-01') }, /never valid/],
  ['a start before its issuer’s', { notBefore: new Date('2025-12-31') }, /its issuer is not/],
  ['an end after its issuer’s', { notAfter: new Date('2036-01-02') }, /its issuer is not/],
  ['fractions of a second', { notAfter: new Date('2028-06-01T00:00:00.500Z') }, /other dates/],
  ['another issuer name', { issuer: encodeName({ commonName: 'Example CB' }) }, /another name/],
  ['the key of another issuer', { issuerPublicKey: ecKey('P-384') }, /another issuer key/],
  ['a key on an unknown curve', { publicKey: ecKey('secp256k1') }, /policy/],
  ['a short RSA key', { publicKey: rsaKey(1024) }, /policy/],
  ['no common name', { subject: encodeName({ organization: 'Acme' } as never) }, /no common name/],
  ['an empty common name', { subject: encodeName({ commonName: '' }) }, /CN has a bad length/],
  ['a long common name', { subject: encodeName({ commonName: 'x'.repeat(65) }) }, /bad length/],
  ['white space round a name', { subject: encodeName({ commonName: ' Eva' }) }, /white space/],
  ['a line break in a name', { subject: encodeName({ commonName: 'E\nva' }) }, /control/],
  ['a NUL in a name', { subject: encodeName({ commonName: 'Eva\0x' }) }, /control/],
  [
    'a country in small letters',
    { subject: encodeName({ commonName: 'Eva', country: 'de' }) },
    /no country code/,
  ],
  [
    'an unprintable serial number in the name',
    { subject: encodeName({ commonName: 'Eva', serialNumber: 'ä_1' }) },
    /not printable/,
  ],
  ['an e-mail address that is none', { email: 'eva@example.org\nx' }, /e-mail/],
]

function rsaKey(modulusLength: number): Buffer {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength })
  return publicKey.export({ type: 'spki', format: 'der' })
}

/** Differences between what was planned and what is about to be signed. */
const DEVIATIONS: [string, Partial<CertificatePlan>, RegExp][] = [
  ['another serial number', { serialNumber: Buffer.alloc(16, 0x43) }, /another serial number/],
  ['another subject', { subject: encodeName({ commonName: 'Eve' }) }, /another subject/],
  ['another key', { publicKey: ecKey() }, /another key than requested/],
  [
    'another signature algorithm',
    { issuerAlgorithm: { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } },
    /another signature algorithm/,
  ],
  ['a later end', { notAfter: new Date('2029-06-01T00:00:00Z') }, /other dates/],
  ['an earlier start', { notBefore: new Date('2026-05-01T00:00:00Z') }, /other dates/],
  ['another key usage', { keyUsage: ['digitalSignature'] }, /another key usage/],
  ['a further key usage', { keyUsage: ['contentCommitment', 'keyCertSign'] }, /another key usage/],
  [
    'the rights of an authority',
    { authority: { pathLength: 0 } },
    /2\.5\.29\.19 is not as planned/,
  ],
  ['another policy', { policyOids: ['1.2.3.5'] }, /2\.5\.29\.32 is not as planned/],
  ['no policy', { policyOids: [] }, /2\.5\.29\.32 is not as planned/],
  ['a further policy', { policyOids: ['1.2.3.4', '1.2.3.5'] }, /is not as planned/],
  ['another extended key usage', { extendedKeyUsage: ['1.2.3'] }, /is not as planned/],
  ['another e-mail address', { email: 'eve@example.org' }, /is not as planned/],
]

describe('No certificate is signed (S104)', () => {
  for (const [title, change, problem] of BAD_PLANS) {
    it(`with ${title}`, () => {
      const plan = { ...PLAN, ...change }
      refuses(encodeToBeSigned(plan), plan, problem)
    })
  }

  for (const [title, change, problem] of DEVIATIONS) {
    it(`that has ${title} against its plan`, () => {
      refuses(encodeToBeSigned({ ...PLAN, ...change }), PLAN, problem)
    })
  }

  it('that has an extension more than planned', () => {
    refuses(encodeToBeSigned(PLAN), { ...PLAN, email: undefined }, /other extensions/)
  })

  it('whichever bit of it is another than planned', () => {
    const tbs = encodeToBeSigned(PLAN)
    for (let bit = 0; bit < tbs.length * 8; bit += 1) {
      const changed = Buffer.from(tbs)
      changed[bit >> 3]! ^= 1 << (bit % 8)
      assert.throws(() => lintCertificate(changed, PLAN, issuer), CertificateLintError, `${bit}`)
    }
  })

  it('that is none', () => {
    for (const tbs of [
      Buffer.alloc(0),
      Buffer.from('3000', 'hex'),
      encodeToBeSigned(PLAN).subarray(2),
    ]) {
      refuses(tbs, PLAN, /cannot be read|not DER/)
    }
  })

  it('that was changed after the check', () => {
    const tbs = encodeToBeSigned(PLAN)
    const linted = lintCertificate(tbs, PLAN, issuer)
    const before = Buffer.from(tbs)
    tbs.fill(0)
    assert.deepEqual(linted.tbs, before)
  })
})

describe('A certificate that says what was planned', () => {
  it('may be signed', () => {
    assert.deepEqual(
      lintCertificate(encodeToBeSigned(PLAN), PLAN, issuer).tbs,
      encodeToBeSigned(PLAN),
    )
  })

  it('may end after 2049', () => {
    const late = { ...ISSUER_PLAN, notAfter: new Date('2051-01-01T00:00:00Z') }
    lintCertificate(encodeToBeSigned(late), late, null)
  })
})
