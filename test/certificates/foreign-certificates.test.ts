import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditEvent } from '../../src/audit/events.js'
import { parseCertificate } from '../../src/certificates/certificate.js'
import { EmbeddedAuthority } from '../../src/certificates/embedded/embedded-authority.js'
import {
  ForeignCertificates,
  UnfitRequestError,
} from '../../src/certificates/foreign-certificates.js'
import { CertificateLintError } from '../../src/certificates/lint.js'
import {
  certificateProfile,
  SEAL_SETTINGS,
  SIGNER_PROFILE,
} from '../../src/certificates/profiles.js'
import { MemoryAuthorityStore, MemoryCertificateStore } from '../support/authority-store.js'
import { MemoryCustody } from '../support/memory-custody.js'
import { opensslText, opensslVerifiesChain } from '../support/openssl.js'

const EVA = { commonName: 'Eva Müller', givenName: 'Eva', surname: 'Müller', country: 'DE' }
const ACME = { commonName: 'Acme', organization: 'Acme', organizationIdentifier: 'x-1' }
const profiles = { signer: SIGNER_PROFILE, seal: certificateProfile(SEAL_SETTINGS) }
const P256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
const now = () => new Date()

describe('Certificates for keys that are elsewhere', () => {
  let folder: string
  let authority: EmbeddedAuthority
  let issued: MemoryCertificateStore
  let audited: AuditEvent[]
  let foreign: ForeignCertificates

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-csr-'))
    issued = new MemoryCertificateStore()
    authority = await EmbeddedAuthority.open({
      ...{ custody: new MemoryCustody(), store: new MemoryAuthorityStore(), issued, now },
      subject: { organization: 'Example Trust', country: 'DE' },
    })
  })
  after(() => rmSync(folder, { recursive: true }))
  beforeEach(() => {
    audited = []
    const append = (...events: AuditEvent[]) => Promise.resolve(audited.push(...events))
    foreign = new ForeignCertificates({ authority, issued, profiles, append, now })
  })

  /** As openssl makes one, with a name that is not to be believed. */
  function request(...kind: string[]): Buffer {
    const newkey = kind.length > 0 ? kind : P256
    const made = spawnSync(
      'openssl',
      [
        ...['req', '-new', '-newkey', ...newkey, '-nodes', '-keyout', 'key.pem'],
        ...['-subj', '/CN=Somebody Else', '-outform', 'DER', '-out', 'request.der'],
      ],
      { cwd: folder, encoding: 'utf8' },
    )
    assert.equal(made.status, 0, made.stderr)
    return readFileSync(join(folder, 'request.der'))
  }

  for (const kind of [['rsa:2048'], P256]) {
    it(`are issued for ${kind[0] === 'ec' ? 'P-256' : 'RSA'} keys, in the name on record and no other (S16)`, async () => {
      const { certificate, chain } = await foreign.issue(request(...kind), {
        subject: EVA,
        profile: 'signer',
      })
      const verdict = opensslVerifiesChain(certificate, chain[0]!, chain[1]!)
      assert.ok(verdict.ok, verdict.output)
      const text = opensslText(certificate, '-text', '-nameopt', 'utf8')
      assert.match(text, /CN ?= ?Eva Müller/)
      assert.doesNotMatch(text, /Somebody Else/)
      writeFileSync(join(folder, 'leaf.der'), certificate)
      const keys = [
        ['x509', '-inform', 'DER', '-in', 'leaf.der', '-noout', '-pubkey'],
        ['pkey', '-in', 'key.pem', '-pubout'],
      ].map((args) => spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' }).stdout)
      assert.equal(keys[0], keys[1])
    })
  }

  it('are on record, and in the audit log with what was asked', async () => {
    const { certificate } = await foreign.issue(request(), {
      subject: ACME,
      profile: 'seal',
    })
    const { serialNumber } = parseCertificate(certificate)
    const record = issued.certificates.get(serialNumber)
    assert.equal(record?.profile, 'foreign-seal')
    assert.match(record.keyId, /^foreign-[0-9a-f]{64}$/)
    const [event] = audited
    assert.equal(event?.event, 'certificate.issued')
    assert.equal(event.detail.serialNumber, serialNumber)
    assert.match(event.detail.request ?? '', /^[0-9a-f]{64}$/)
  })

  it('are revoked for good, once', async () => {
    const { certificate } = await foreign.issue(request(), {
      subject: EVA,
      profile: 'signer',
    })
    const { serialNumber } = parseCertificate(certificate)
    assert.ok(await foreign.revoke(serialNumber, 'keyCompromise'))
    assert.equal(issued.certificates.get(serialNumber)?.revocation?.reason, 'keyCompromise')
  })

  it('are not revoked here when a credential has them, or nobody', async () => {
    const facts = { serialNumber: '4A', keyId: 'k', issuedAt: now(), notAfter: now() }
    await issued.register({ ...facts, profile: 'signer' })
    for (const serialNumber of ['4A', '4B', '']) {
      assert.equal(await foreign.revoke(serialNumber, 'keyCompromise'), false)
    }
    assert.deepEqual(audited, [])
  })

  const refused: [string, () => Buffer, RegExp][] = [
    ['nothing', () => Buffer.alloc(0), /Not a certification request/],
    ['a certificate', () => authority.issuingCertificate, /request|possession/],
    ['a key that is too short', () => request('rsa:1024'), /not allow|not proved/],
    ['a kind of key we do not know', () => request('ed25519'), /Policy does not allow/],
    [
      'a curve we do not know',
      () => request('ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'),
      /not allow|not proved/,
    ],
    ['a request with something behind it', () => Buffer.concat([request(), Buffer.of(0)]), /Not a/],
    ['a request that another key signed', () => otherSigned(), /not proved possession/],
  ]
  function otherSigned(): Buffer {
    const der = Buffer.from(request())
    der.writeUInt8(der.readUInt8(der.length - 5) ^ 1, der.length - 5)
    return der
  }
  for (const [what, make, why] of refused) {
    it(`are not issued for ${what} (S104)`, async () => {
      const before = issued.certificates.size
      await assert.rejects(
        foreign.issue(make(), { subject: EVA, profile: 'signer' }),
        (error) => error instanceof UnfitRequestError && why.test(error.message),
      )
      assert.equal(issued.certificates.size, before)
      assert.deepEqual(audited, [])
    })
  }

  it('are linted like all others', async () => {
    const subject = { ...EVA, commonName: 'x'.repeat(65) }
    await assert.rejects(
      foreign.issue(request(), { subject, profile: 'signer' }),
      CertificateLintError,
    )
  })
})
