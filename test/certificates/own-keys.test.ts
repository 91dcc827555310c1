import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseCertificate } from '../../src/certificates/certificate.js'
import { EmbeddedAuthority } from '../../src/certificates/embedded/embedded-authority.js'
import type { OwnKey, OwnKeys } from '../../src/certificates/embedded/own-key.js'
import { OcspResponder } from '../../src/certificates/ocsp/responder.js'
import {
  certificateProfile,
  OCSP_SETTINGS,
  SIGNER_PROFILE,
  TSA_SETTINGS,
} from '../../src/certificates/profiles.js'
import { RevocationLists } from '../../src/certificates/revocation-lists.js'
import { ServiceKeys } from '../../src/certificates/service-keys.js'
import { verifyDigest } from '../../src/keys/digest-verifier.js'
import { TimestampAuthority } from '../../src/timestamping/authority.js'
import { WatchedClock } from '../../src/timestamping/clock.js'
import { MemoryAuthorityStore, MemoryCertificateStore } from '../support/authority-store.js'
import { MemoryCustody } from '../support/memory-custody.js'

const subject = { organization: 'Example Trust', country: 'DE' }
const profiles = { ocsp: certificateProfile(OCSP_SETTINGS), tsa: certificateProfile(TSA_SETTINGS) }
const now = () => new Date()

/** The signature algorithm of X.509, as openssl calls it. */
const CALLED = { rsa: 'WithRSAEncryption', ec: 'ecdsa-with-' }

/** One of each kind of key, and hashes that are not those by default. */
const KINDS: readonly [OwnKey, string][] = [
  [{ algorithm: 'p-256', hash: 'sha512' }, `${CALLED.ec}SHA512`],
  [{ algorithm: 'p-384' }, `${CALLED.ec}SHA384`],
  [{ algorithm: 'p-521' }, `${CALLED.ec}SHA512`],
  [{ algorithm: 'rsa-2048' }, `sha256${CALLED.rsa}`],
  [{ algorithm: 'rsa-3072', hash: 'sha384' }, `sha384${CALLED.rsa}`],
  [{ algorithm: 'rsa-4096', hash: 'sha512' }, `sha512${CALLED.rsa}`],
]

describe('Authorities and services with keys of the kind that is configured', () => {
  const custody = new MemoryCustody()
  let folder: string

  before(() => (folder = mkdtempSync(join(tmpdir(), 'openrssp-own-keys-'))))
  after(() => rmSync(folder, { recursive: true }))

  const openssl = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
    return { ok: status === 0, output: stdout + stderr }
  }
  const file = (name: string, bytes: Buffer) => writeFileSync(join(folder, name), bytes)

  async function open(keys: OwnKeys) {
    const [store, issued] = [new MemoryAuthorityStore(), new MemoryCertificateStore()]
    const options = { custody, store, now, subject, issued, keys }
    const authority = await EmbeddedAuthority.open(options)
    const services = new ServiceKeys({ ...options, authority, profiles, verify: verifyDigest })
    file('root.pem', pem(authority.rootCertificate))
    file('issuing.pem', pem(authority.issuingCertificate))
    file(
      'both.pem',
      Buffer.concat([authority.rootCertificate, authority.issuingCertificate].map(pem)),
    )
    return { authority, services, issued }
  }

  /** A person's certificate, as file `leaf.pem`. */
  async function leaf(authority: EmbeddedAuthority): Promise<Buffer> {
    const { keyId, publicKey } = await custody.generate('p-256')
    const request = { keyId, publicKey, subject: { commonName: 'Eva' }, profile: SIGNER_PROFILE }
    const { certificate } = await authority.issue(request)
    file('leaf.pem', pem(certificate))
    return certificate
  }

  async function list(authority: EmbeddedAuthority, issued: MemoryCertificateStore) {
    const { root, issuing } = authority
    const lists = new RevocationLists({
      ...{ custody, now, verify: verifyDigest, authorities: { root, issuing } },
      store: {
        listRevoked: (endsAfter) => issued.listRevoked(endsAfter),
        state: async () => ({ number: 0, nextUpdate: null, isOutdated: false, covered: 0 }),
        load: async () => null,
        publish: async () => true,
      },
    })
    return (await lists.current('issuing')).bytes
  }

  async function answer(
    authority: EmbeddedAuthority,
    keys: ServiceKeys,
    issued: MemoryCertificateStore,
    certificate: Buffer,
  ) {
    const issuer = authority.issuing.certificate
    const responder = new OcspResponder({ issued, keys, now, issuer })
    const response = await responder.current(parseCertificate(certificate))
    assert.ok(response)
    return response
  }

  function stamp(keys: ServiceKeys, query: Buffer) {
    const elapsed = () => performance.now()
    const accuracy = { accuracyMilliseconds: 1000 }
    const authority = new TimestampAuthority({
      ...{ signer: () => keys.open('tsa'), policies: ['1.3.6.1.4.1.32473.1.1'], ...accuracy },
      clock: new WatchedClock({ now, elapsed, references: [], ...accuracy }),
    })
    return authority.respond(query, (error) => assert.fail(String(error)))
  }

  for (const [kind, called] of KINDS) {
    const name = `${kind.algorithm}${kind.hash ? ` with ${kind.hash}` : ''}`
    it(`certify, list, answer and timestamp so that openssl takes it: ${name}`, async () => {
      const keys = { root: kind, issuing: kind, ocsp: kind, tsa: kind }
      const { authority, services, issued } = await open(keys)
      const certificate = await leaf(authority)
      const chain = ['-CAfile', 'root.pem', '-untrusted', 'issuing.pem']
      const verdict = openssl('verify', '-x509_strict', ...chain, 'leaf.pem')
      assert.ok(verdict.ok, verdict.output)
      const text = openssl('x509', '-in', 'leaf.pem', '-noout', '-text').output
      assert.equal(text.match(new RegExp(`Signature Algorithm: ${called}\n`, 'g'))?.length, 2, text)

      file('list.crl', await list(authority, issued))
      const listed = openssl('crl', '-inform', 'DER', '-in', 'list.crl', '-CAfile', 'both.pem')
      assert.match(listed.output, /verify OK/)

      file('answer.der', await answer(authority, services, issued, certificate))
      const about = ['-issuer', 'issuing.pem', '-cert', 'leaf.pem', '-CAfile', 'both.pem']
      const answered = openssl('ocsp', '-respin', 'answer.der', ...about, '-resp_text')
      assert.match(answered.output, /leaf\.pem: good[^]*Response verify OK/)
      assert.match(answered.output, /Archive Cutoff:/)
      assert.ok(answered.output.includes(`Signature Algorithm: ${called}`))

      openssl('ts', '-query', '-data', 'leaf.pem', '-sha256', '-cert', '-out', 'query.tsq')
      file('reply.tsr', await stamp(services, readFileSync(join(folder, 'query.tsq'))))
      const stamped = openssl(
        'ts',
        '-verify',
        '-queryfile',
        'query.tsq',
        '-in',
        'reply.tsr',
        ...chain,
      )
      assert.match(stamped.output, /Verification: OK/)
    })
  }

  it('keep their keys when the configuration says another kind, until they are renewed', async () => {
    const former = { root: P256, issuing: P256, ocsp: P256, tsa: P256 }
    const [store, issued] = [new MemoryAuthorityStore(), new MemoryCertificateStore()]
    const options = { custody, store, now, subject, issued, keys: former }
    const authority = await EmbeddedAuthority.open(options)
    await new ServiceKeys({ ...options, authority, profiles, verify: null }).open('tsa')

    const keys = { root: P384, issuing: P384, ocsp: P384, tsa: P384 }
    const later = await EmbeddedAuthority.open({ ...options, keys })
    assert.deepEqual(later.chain, authority.chain)
    const services = new ServiceKeys({ ...options, keys, authority: later, profiles, verify: null })
    const kindOf = async () =>
      parseCertificate((await services.open('tsa')).certificate).keyAlgorithm
    assert.equal(await kindOf(), 'p-256')
    await services.renew('tsa', null)
    assert.equal(await kindOf(), 'p-384')
  })

  it('sign with another hash as soon as it is configured', async () => {
    const [store, issued] = [new MemoryAuthorityStore(), new MemoryCertificateStore()]
    const kind = (hash: 'sha256' | 'sha512') => ({ algorithm: 'p-256' as const, hash })
    for (const hash of ['sha256', 'sha512'] as const) {
      const all = { root: kind(hash), issuing: kind(hash), ocsp: kind(hash), tsa: kind(hash) }
      const authority = await EmbeddedAuthority.open({
        custody,
        store,
        now,
        subject,
        issued,
        keys: all,
      })
      await leaf(authority)
      const text = openssl('x509', '-in', 'leaf.pem', '-noout', '-text').output
      assert.ok(text.includes(`ecdsa-with-${hash.toUpperCase()}`), text)
    }
  })

  it('are not taken up when a certificate is signed by another key of another kind', async () => {
    const [store, issued] = [new MemoryAuthorityStore(), new MemoryCertificateStore()]
    const options = { custody, store, now, subject, issued }
    await EmbeddedAuthority.open(options)
    const other = new MemoryAuthorityStore()
    const rsa = { algorithm: 'rsa-2048' as const }
    const keys = { root: rsa, issuing: rsa, ocsp: rsa, tsa: rsa }
    await EmbeddedAuthority.open({ ...options, store: other, keys })
    const root = other.records.get('root')
    assert.ok(root)
    store.records.set('root', root)
    await assert.rejects(EmbeddedAuthority.open(options), /issuing key has a wrong signature/)
  })
})

const P256: OwnKey = { algorithm: 'p-256' }
const P384: OwnKey = { algorithm: 'p-384' }

function pem(certificate: Buffer): Buffer {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  const [begin, end] = ['BEGIN', 'END'].map((word) => `-----${word} CERTIFICATE-----`)
  return Buffer.from([begin, ...lines, end, ''].join('\n'))
}
