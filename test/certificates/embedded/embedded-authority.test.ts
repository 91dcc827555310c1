import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import type { SubjectName } from '../../../src/certificates/certificate-authority.js'
import { listedOids, parseCertificate } from '../../../src/certificates/certificate.js'
import {
  EmbeddedAuthority,
  type EmbeddedAuthorityOptions,
} from '../../../src/certificates/embedded/embedded-authority.js'
import { nameAttributes } from '../../../src/certificates/distinguished-name.js'
import { CertificateLintError } from '../../../src/certificates/lint.js'
import {
  certificateProfile,
  ONE_TIME_SETTINGS,
  SIGNER_PROFILE,
  SIGNER_SETTINGS,
} from '../../../src/certificates/profiles.js'
import { subjectOf } from '../../../src/credentials/credential-terms.js'
import { SignatureWithheldError } from '../../../src/errors.js'
import type { KeyCustody } from '../../../src/keys/key-custody.js'
import { MemoryAuthorityStore, MemoryCertificateStore } from '../../support/authority-store.js'
import { opensslText, opensslVerifiesChain } from '../../support/openssl.js'
import { openTestCustody } from '../../support/softhsm.js'

const SUBJECT = { organization: 'Example Trust', country: 'DE' }
const PERSON = {
  commonName: 'Eva Müller',
  givenName: 'Eva',
  surname: 'Müller',
  organization: 'Acme, Inc.',
  country: 'DE',
  serialNumber: 'PNODE-123',
  email: 'eva@example.org',
}
const NOW = new Date('2026-11-22T10:20:30.400Z')
const DAY = 86_400_000

describe('The embedded authority', () => {
  let custody: KeyCustody
  let store: MemoryAuthorityStore
  let authority: EmbeddedAuthority
  let clock = NOW
  const now = () => clock

  const open = (changes: Partial<EmbeddedAuthorityOptions> = {}) =>
    EmbeddedAuthority.open({
      ...{ custody, store, now, subject: SUBJECT, issued: new MemoryCertificateStore() },
      ...changes,
    })

  before(async () => {
    custody = await openTestCustody()
    store = new MemoryAuthorityStore()
    authority = await open()
  })
  beforeEach(() => (clock = NOW))

  const issue = (publicKey: Buffer, subject: SubjectName = PERSON, profile = SIGNER_PROFILE) =>
    authority.issue({ keyId: 'here', publicKey, subject, profile })

  it('issues certificates whose chain OpenSSL takes, for every kind of key', async () => {
    for (const algorithm of ['p-256', 'p-384', 'p-521', 'rsa-2048'] as const) {
      const { publicKey } = await custody.generate(algorithm)
      const { certificate, chain } = await issue(publicKey)
      assert.equal(chain.length, 2)
      const { ok, output } = opensslVerifiesChain(certificate, chain[0]!, chain[1]!, [
        '-attime',
        String(Math.floor(NOW.getTime() / 1000)),
      ])
      assert.ok(ok, output)
      assert.deepEqual(parseCertificate(certificate).publicKey, publicKey)
      assert.equal(parseCertificate(certificate).keyAlgorithm, algorithm)
    }
  })

  it('issues certificates that say what was asked for (S16)', async () => {
    const { publicKey } = await custody.generate('p-256')
    const profile = certificateProfile({
      name: 'signer',
      validityDays: 30,
      keyUsage: ['contentCommitment', 'digitalSignature'],
      policyOid: '1.3.6.1.4.1.99999.1',
      extendedKeyUsage: ['1.3.6.1.5.5.7.3.36'],
    })
    const { certificate } = await issue(publicKey, PERSON, profile)
    const { subject, issuer, validFrom, validTo, notAfter } = parseCertificate(certificate)
    assert.equal(
      subject,
      'CN=Eva Müller,givenName=Eva,surname=Müller,serialNumber=PNODE-123,O=Acme\\, Inc.,C=DE',
    )
    assert.equal(issuer, 'CN=Example Trust Issuing CA,O=Example Trust,C=DE')
    assert.equal(validFrom, '20261122101900Z')
    assert.equal(validTo, '20261222101900Z')
    assert.ok(notAfter < parseCertificate(authority.issuingCertificate).notAfter)
    const text = opensslText(certificate, '-text')
    assert.match(text, /X509v3 Basic Constraints: critical\s+CA:FALSE/)
    assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature, Non Repudiation\n/)
    assert.match(text, /Policy: 1\.3\.6\.1\.4\.1\.99999\.1/)
    assert.match(text, /X509v3 Extended Key Usage:/)
    assert.match(text, /email:eva@example\.org/)
    assert.match(text, /Version: 3/)
    assert.match(text, /Signature Algorithm: ecdsa-with-SHA384/)
  })

  it('tells organisations apart by an identifier (EN 319 412-3, 4.2.1)', async () => {
    const { publicKey } = await custody.generate('p-256')
    const subject = {
      commonName: 'Acme',
      organization: 'Acme',
      organizationIdentifier: 'NTRDE-HRB1',
    }
    const { certificate } = await issue(publicKey, { ...subject, country: 'DE' })
    assert.match(opensslText(certificate, '-subject'), /organizationIdentifier = NTRDE-HRB1/)
  })

  it('issues one-time certificates that begin now, end in a minute and are never revoked', async () => {
    const { publicKey } = await custody.generate('p-256')
    const { certificate } = await issue(publicKey, PERSON, certificateProfile(ONE_TIME_SETTINGS))
    const { notBefore, notAfter, extensions } = parseCertificate(certificate)
    assert.deepEqual([+notBefore, +notAfter - +notBefore], [Math.floor(+NOW / 1000) * 1000, 60_000])
    const oids = extensions.map(({ oid }) => oid)
    assert.ok(oids.includes('2.5.29.56') && oids.includes('0.4.0.194121.2.1'))
    assert.ok(!oids.includes('2.5.29.31'))
  })

  it('states what makes a certificate qualified', async () => {
    const { publicKey } = await custody.generate('p-256')
    const disclosures = [{ url: 'https://example.org/pds.pdf', language: 'en' }]
    const qcStatements = { compliance: true, sscd: true, type: 'esign' as const, disclosures }
    const profile = certificateProfile({ ...SIGNER_SETTINGS, qcStatements })
    const { certificate } = await issue(publicKey, PERSON, profile)
    const parsed = parseCertificate(certificate)
    const stated = ['0.4.0.1862.1.1', '0.4.0.1862.1.4', '0.4.0.1862.1.6', '0.4.0.1862.1.5']
    assert.deepEqual(listedOids(parsed, 'qcStatements'), stated)
  })

  it('has every certificate on record before it signs it', async () => {
    const issued = new MemoryCertificateStore()
    const recorded = await open({ issued })
    const { publicKey } = await custody.generate('p-256')
    const request = { keyId: 'here', publicKey, subject: PERSON, profile: SIGNER_PROFILE }
    const { certificate } = await recorded.issue(request)
    const { serialNumber, notAfter } = parseCertificate(certificate)
    const record = issued.certificates.get(serialNumber)
    assert.deepEqual([record?.revocation, record?.notAfter], [null, notAfter])
    assert.equal(record?.profile, 'signer')
    issued.register = () => Promise.reject(new Error('no room'))
    await assert.rejects(recorded.issue(request), /no room/)
  })

  it('gives every certificate another random serial number of 16 bytes', async () => {
    const { publicKey } = await custody.generate('p-256')
    const issued = await Promise.all(Array.from({ length: 20 }, () => issue(publicKey)))
    const serials = issued.map(({ certificate }) => parseCertificate(certificate).serialNumber)
    assert.equal(new Set(serials).size, 20)
    for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/)
  })

  it('has a root that only certifies authorities, and an authority that certifies only ends', () => {
    const root = opensslText(authority.rootCertificate, '-text')
    const issuing = opensslText(authority.issuingCertificate, '-text')
    assert.match(root, /critical\s+CA:TRUE, pathlen:1\n/)
    assert.match(issuing, /critical\s+CA:TRUE, pathlen:0\n/)
    for (const text of [root, issuing]) {
      assert.match(text, /Key Usage: critical\s+Certificate Sign, CRL Sign\n/)
      assert.match(text, /NIST CURVE: P-384/)
    }
  })

  it('issues nothing that is valid when its issuer is not', async () => {
    const { publicKey } = await custody.generate('p-256')
    const issuing = parseCertificate(authority.issuingCertificate)
    clock = new Date(+issuing.notAfter - 10 * DAY)
    const { certificate } = await issue(publicKey)
    assert.equal(+parseCertificate(certificate).notAfter, +issuing.notAfter)
    clock = new Date(+issuing.notBefore - DAY)
    const early = parseCertificate((await issue(publicKey)).certificate)
    assert.equal(+early.notBefore, +issuing.notBefore)
    clock = new Date(+issuing.notAfter + 2 * DAY)
    await assert.rejects(issue(publicKey), CertificateLintError)
  })

  it('refuses keys that policy does not allow, and what is no key', async () => {
    const spki = { type: 'spki', format: 'der' } as const
    const keys = [
      generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export(spki),
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export(spki),
      generateKeyPairSync('ed25519').publicKey.export(spki),
      Buffer.from('3000', 'hex'),
      Buffer.alloc(0),
    ]
    for (const key of keys.slice(0, 3)) await assert.rejects(issue(key), CertificateLintError)
    for (const key of keys.slice(3)) await assert.rejects(issue(key))
  })

  it('issues certificates to people of long names, of whom the common name holds the beginning (S16)', async () => {
    const { publicKey } = await custody.generate('p-256')
    const [givenName, surname] = [
      'Pablo Diego José '.repeat(5).trim(),
      'Ruiz y Picasso '.repeat(6).trim(),
    ]
    const displayName = `${givenName} ${surname}`
    const user = { id: 'u-1', displayName, givenName, surname, country: 'ES' }
    const { certificate } = await issue(publicKey, subjectOf(user, false))
    const { subjectName } = parseCertificate(certificate)
    const said = nameAttributes(subjectName)
    assert.deepEqual([said.givenName, said.surname], [givenName, surname])
    assert.equal(said.commonName, displayName.slice(0, 64).trim())
    const seal = subjectOf({ ...user, displayName: 'x'.repeat(65) }, true)
    await assert.rejects(issue(publicKey, seal), CertificateLintError)
  })

  it('refuses names that do not fit into a certificate', async () => {
    const { publicKey } = await custody.generate('p-256')
    for (const commonName of ['', ' ', 'x'.repeat(65), 'a\0b', 'a\nb']) {
      await assert.rejects(issue(publicKey, { ...PERSON, commonName }), CertificateLintError)
    }
  })

  it('withholds a certificate whose signature does not verify (S104)', async () => {
    const { publicKey } = await custody.generate('p-256')
    const other = await custody.generate('p-384')
    const wrong: [string, KeyCustody['sign']][] = [
      ['another key', (_, digests, algorithm) => custody.sign(other.keyId, digests, algorithm)],
      ['no signature', () => Promise.resolve([])],
      ['an empty signature', () => Promise.resolve([Buffer.alloc(0)])],
      [
        'a flipped bit',
        async (keyId, digests, algorithm) => {
          const [signature] = await custody.sign(keyId, digests, algorithm)
          signature![signature!.length - 1]! ^= 1
          return [signature!]
        },
      ],
    ]
    for (const [title, sign] of wrong) {
      const broken = await open({ custody: replacing(custody, { sign }) })
      await assert.rejects(
        broken.issue({ keyId: 'here', publicKey, subject: PERSON, profile: SIGNER_PROFILE }),
        SignatureWithheldError,
        title,
      )
    }
  })

  it('is the same after a restart, and makes no new keys', async () => {
    const generate = () => assert.fail('a key was made')
    const again = await open({ custody: replacing(custody, { generate }) })
    assert.deepEqual(again.rootCertificate, authority.rootCertificate)
    assert.deepEqual(again.issuingCertificate, authority.issuingCertificate)
  })

  it('becomes one authority when two replicas start at once, and leaves no key behind', async () => {
    const shared = new MemoryAuthorityStore()
    const made: string[] = []
    const counting = replacing(custody, {
      generate: async (algorithm) => {
        const key = await custody.generate(algorithm)
        made.push(key.keyId)
        return key
      },
    })
    const replicas = await Promise.all([1, 2].map(() => open({ store: shared, custody: counting })))
    assert.deepEqual(replicas[0]!.issuingCertificate, replicas[1]!.issuingCertificate)
    assert.deepEqual(replicas[0]!.rootCertificate, replicas[1]!.rootCertificate)
    const kept = [...shared.records.values()].map(({ keyId }) => keyId)
    for (const keyId of made) {
      assert.equal((await custody.publicKey(keyId)) !== null, kept.includes(keyId))
    }
  })

  it('does not start when keys and certificates do not belong together', async () => {
    const [root, issuing] = [store.records.get('root')!, store.records.get('issuing')!]
    const other = new MemoryAuthorityStore()
    await open({ store: other })
    const tampered: [string, () => [typeof root, typeof issuing], RegExp][] = [
      ['keys swapped', () => [{ ...root, keyId: issuing.keyId }, issuing], /another key/],
      ['no key', () => [root, { ...issuing, keyId: '00'.repeat(16) }], /not in the token/],
      [
        'a foreign issuing authority',
        () => [root, other.records.get('issuing')!],
        /wrong signature/,
      ],
      [
        'a changed certificate',
        () => {
          const certificate = Buffer.from(issuing.certificate)
          certificate[20]! ^= 1 // in the serial number
          return [root, { ...issuing, certificate }]
        },
        /wrong signature/,
      ],
      ['rubbish', () => [{ ...root, certificate: Buffer.of(1) }, issuing], /Not an X\.509/],
    ]
    for (const [title, records, message] of tampered) {
      const bad = new MemoryAuthorityStore()
      const [badRoot, badIssuing] = records()
      bad.records.set('root', badRoot).set('issuing', badIssuing)
      await assert.rejects(open({ store: bad }), message, title)
    }
  })

  it('destroys a key it could not certify (S104)', async () => {
    const made: string[] = []
    const failing = replacing(custody, {
      generate: async (algorithm) => {
        const key = await custody.generate(algorithm)
        made.push(key.keyId)
        return key
      },
      sign: () => Promise.reject(new Error('token gone')),
    })
    await assert.rejects(
      open({ custody: failing, store: new MemoryAuthorityStore() }),
      /token gone/,
    )
    assert.equal(made.length, 1)
    assert.equal(await custody.publicKey(made[0]!), null)
  })

  it('is read by Node as it was meant', async () => {
    const { publicKey } = await custody.generate('p-256')
    const { certificate, chain } = await issue(publicKey)
    const [leaf, issuing, root] = [certificate, ...chain].map((der) => new X509Certificate(der))
    assert.ok(leaf!.checkIssued(issuing!) && leaf!.verify(issuing!.publicKey) && !leaf!.ca)
    assert.ok(issuing!.checkIssued(root!) && issuing!.verify(root!.publicKey) && issuing!.ca)
    assert.ok(root!.verify(root!.publicKey) && root!.ca)
  })
})

function replacing(custody: KeyCustody, changes: Partial<KeyCustody>): KeyCustody {
  return {
    generate: (algorithm) => custody.generate(algorithm),
    sign: (...call) => custody.sign(...call),
    publicKey: (keyId) => custody.publicKey(keyId),
    destroy: (keyId) => custody.destroy(keyId),
    ready: () => custody.ready(),
    close: () => custody.close(),
    ...changes,
  }
}
