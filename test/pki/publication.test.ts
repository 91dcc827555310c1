import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as asn1js from 'asn1js'
import { CertificateRevocationList } from 'pkijs'
import { parseCertificate } from '../../src/certificates/certificate.js'
import { EarlierCertificates } from '../../src/certificates/earlier-certificates.js'
import { certificateProfile, SIGNER_SETTINGS } from '../../src/certificates/profiles.js'
import { change, sql } from '../../src/storage/database.js'
import { DatabaseIssuedCertificateStore } from '../../src/storage/issued-certificate-store.js'
import type { Credential } from '../../src/credentials/credential.js'
import { timestampAttributes, tstInfo } from '../support/statements.js'
import { startRssp, type Rssp, type TestUser } from '../support/rssp.js'

const run = promisify(execFile)

interface Result {
  readonly code: number
  readonly output: string
}

/*
 * What relying parties see of revocation, with openssl as the relying party: at the URLs that stand in
 * certificates, over HTTP.
 */
describe('Revocation, as others see it', () => {
  let rssp: Rssp
  let folder: string
  let user: TestUser
  let credential: Credential

  before(async () => {
    rssp = await startRssp()
    folder = mkdtempSync(join(tmpdir(), 'openrssp-pki-'))
    user = await rssp.addUser()
    const { rootCertificate, issuingCertificate } = rssp.services.authority
    writeFileSync(join(folder, 'root.pem'), pem(rootCertificate))
    writeFileSync(join(folder, 'issuing.pem'), pem(issuingCertificate))
    const all = [rootCertificate, issuingCertificate].map(pem).join('')
    writeFileSync(join(folder, 'both.pem'), all)
  })
  after(async () => {
    await rssp.close()
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(async () => {
    credential = await rssp.addCredential(user)
    writeFileSync(join(folder, 'leaf.pem'), pem(leaf(credential)))
  })

  async function openssl(...args: string[]): Promise<Result> {
    try {
      const { stdout, stderr } = await run('openssl', args, { cwd: folder })
      return { code: 0, output: stderr + stdout }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, output: stderr + stdout }
    }
  }

  /** `openssl ocsp`, which checks signature, delegation, dates and nonce of what it is answered. */
  const ocsp = (...args: string[]) =>
    openssl(
      ...['ocsp', '-url', `${rssp.baseUrl}/ocsp`, '-CAfile', 'both.pem', '-issuer', 'issuing.pem'],
      ...(args.length > 0 ? args : ['-cert', 'leaf.pem']),
    )

  async function verifyWithLists(): Promise<Result> {
    const lists = await Promise.all(['root', 'issuing'].map(download))
    lists.forEach((der, index) => writeFileSync(join(folder, `${index}.crl`), der))
    return openssl(
      ...['verify', '-x509_strict', '-crl_check_all', '-CAfile', 'root.pem'],
      ...['-untrusted', 'issuing.pem', '-CRLfile', '0.crl', '-CRLfile', '1.crl', 'leaf.pem'],
    )
  }

  async function download(name: string): Promise<Buffer> {
    const response = await fetch(`${rssp.baseUrl}/pki/${name}.crl`)
    assert.equal(response.status, 200)
    return Buffer.from(await response.arrayBuffer())
  }

  const post = (body: Uint8Array) =>
    fetch(`${rssp.baseUrl}/ocsp`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/ocsp-request' },
      body: new Uint8Array(body),
    })

  /** A request as openssl makes it. */
  async function request(...args: string[]): Promise<Buffer> {
    const { code, output } = await openssl(
      ...['ocsp', '-issuer', 'issuing.pem', '-reqout', 'request.der'],
      ...(args.length > 0 ? args : ['-no_nonce', '-cert', 'leaf.pem']),
    )
    assert.equal(code, 0, output)
    return readFileSync(join(folder, 'request.der'))
  }

  const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer())
  const numberOf = (crl: Buffer): number => {
    const { crlExtensions } = new CertificateRevocationList({ schema: asn1js.fromBER(crl).result })
    const number = crlExtensions?.extensions.find(({ extnID }) => extnID === '2.5.29.20')
    assert.ok(number?.parsedValue instanceof asn1js.Integer)
    return number.parsedValue.valueBlock.valueDec
  }

  it('stands at the URLs that certificates name', async () => {
    const { output } = await openssl('x509', '-in', 'leaf.pem', '-noout', '-text')
    assert.ok(output.includes(`OCSP - URI:${rssp.baseUrl}/ocsp\n`), output)
    assert.ok(output.includes(`CA Issuers - URI:${rssp.baseUrl}/pki/issuing.cer\n`))
    assert.match(output, /CRL Distribution Points: \s+Full Name:\s+URI:http:.*\/pki\/issuing\.crl/)
    const issuer = await fetch(`${rssp.baseUrl}/pki/issuing.cer`)
    assert.equal(issuer.headers.get('content-type'), 'application/pkix-cert')
    const issuing = Buffer.from(await issuer.arrayBuffer())
    assert.deepEqual(issuing, rssp.services.authority.issuingCertificate)
    const above = await openssl('x509', '-in', 'issuing.pem', '-noout', '-text')
    assert.match(above.output, /URI:http:.*\/pki\/root\.crl/)
    assert.match(above.output, /CA Issuers - URI:http:.*\/pki\/root\.cer/)
  })

  it('says that a new certificate is good, in lists and by OCSP', async () => {
    assert.match((await verifyWithLists()).output, /leaf\.pem: OK/)
    const { code, output } = await ocsp()
    assert.equal(code, 0)
    assert.match(output, /Response verify OK/)
    assert.match(output, /leaf\.pem: good/)
    assert.doesNotMatch(output, /WARNING/)
  })

  it('follows a suspension, the end of it, and revocation at once', async () => {
    const { credentials } = rssp.services
    assert.match((await ocsp('-no_nonce', '-cert', 'leaf.pem')).output, /leaf\.pem: good/)
    assert.match((await verifyWithLists()).output, /leaf\.pem: OK/)

    await credentials.suspend(credential.id, 'operator', 'test')
    const held = await ocsp('-no_nonce', '-cert', 'leaf.pem')
    assert.match(held.output, /leaf\.pem: revoked[^]*Reason: certificateHold/)
    assert.match((await verifyWithLists()).output, /certificate revoked/)

    await credentials.resume(credential.id, 'operator', 'test')
    assert.match((await ocsp('-no_nonce', '-cert', 'leaf.pem')).output, /leaf\.pem: good/)
    assert.match((await verifyWithLists()).output, /leaf\.pem: OK/)

    await credentials.revoke(credential.id, 'test', 'keyCompromise')
    const revoked = await ocsp('-no_nonce', '-cert', 'leaf.pem')
    assert.match(revoked.output, /leaf\.pem: revoked[^]*Reason: keyCompromise/)
    assert.match((await verifyWithLists()).output, /certificate revoked/)
    const { output } = await openssl('crl', '-inform', 'DER', '-in', '1.crl', '-noout', '-text')
    const { serialNumber } = parseCertificate(leaf(credential))
    const entry = output.slice(output.indexOf(serialNumber))
    assert.match(entry, /^\S+\s+Revocation Date: [^]{1,120}?Key Compromise/)
  })

  it('does not revoke what was deleted, unless its owner wants that', async () => {
    const other = await rssp.addCredential(user)
    await rssp.services.credentials.delete(credential.id, 'test', null)
    await rssp.services.credentials.delete(other.id, 'test', 'cessationOfOperation')
    writeFileSync(join(folder, 'other.pem'), pem(leaf(other)))
    const { output } = await ocsp('-cert', 'leaf.pem', '-cert', 'other.pem')
    assert.match(output, /leaf\.pem: good[^]*other\.pem: revoked[^]*cessationOfOperation/)
  })

  /** As if there were very many. */
  function oneByOne() {
    const { database, authority, now } = rssp.services
    const store = new DatabaseIssuedCertificateStore(database)
    const issuer = parseCertificate(authority.issuingCertificate)
    return new EarlierCertificates({ store, issuer, now, page: 1 })
  }

  it('knows certificates that were issued before there was a record of them', async () => {
    const other = await rssp.addCredential(user)
    await rssp.services.credentials.suspend(other.id, 'operator', 'test')
    writeFileSync(join(folder, 'other.pem'), pem(leaf(other)))
    const keys = [credential.keyId, other.keyId].map((keyId) =>
      change(sql`DELETE FROM "IssuedCertificate" WHERE "keyId" = ${keyId}`, 1),
    )
    await rssp.services.database.commit({ changes: keys })
    const before = await ocsp('-cert', 'leaf.pem', '-cert', 'other.pem')
    assert.match(before.output, /leaf\.pem: unknown[^]*other\.pem: unknown/)
    await oneByOne().reconcile()
    const after = await ocsp('-cert', 'leaf.pem', '-cert', 'other.pem')
    assert.match(after.output, /leaf\.pem: good[^]*other\.pem: revoked[^]*certificateHold/)
  })

  it('revokes what was issued for a key that never became a credential’s', async () => {
    const { custody, authority } = rssp.services
    const earlierCertificates = oneByOne()
    const profile = certificateProfile(SIGNER_SETTINGS)
    const key = await custody.generate('p-256')
    const subject = { commonName: 'Nobody' }
    const { certificate } = await authority.issue({ ...key, subject, profile })
    writeFileSync(join(folder, 'lost.pem'), pem(certificate))
    await earlierCertificates.reconcile()
    assert.match((await ocsp('-cert', 'lost.pem')).output, /lost\.pem: good/)
    const { serialNumber } = parseCertificate(certificate)
    const earlier = new Date(Date.now() - 2 * 3_600_000)
    const aged = sql`UPDATE "IssuedCertificate" SET "issuedAt" = ${earlier}
                      WHERE "serialNumber" = ${serialNumber}`
    await rssp.services.database.commit({ changes: [change(aged, 1)] })
    await earlierCertificates.reconcile()
    const { output } = await ocsp('-cert', 'lost.pem')
    assert.match(output, /lost\.pem: revoked[^]*cessationOfOperation/)
  })

  it('knows the certificates of our own services, and revokes those of keys that were stolen', async () => {
    const { serviceKeys, database } = rssp.services
    const stolen = await serviceKeys.open('tsa')
    writeFileSync(join(folder, 'tsa.pem'), pem(stolen.certificate))
    assert.match((await ocsp('-cert', 'tsa.pem')).output, /tsa\.pem: good/)
    assert.ok(await serviceKeys.renew('tsa', null))
    const next = await serviceKeys.open('tsa')
    const info = tstInfo(rssp.clock.now())
    await stolen.sign(timestampAttributes(info), info) // others still use it
    assert.ok(await serviceKeys.renew('tsa', 'keyCompromise'))
    writeFileSync(join(folder, 'next.pem'), pem(next.certificate))
    const { output } = await ocsp('-cert', 'tsa.pem', '-cert', 'next.pem')
    assert.match(output, /tsa\.pem: good[^]*next\.pem: revoked[^]*keyCompromise/)
    const names = await database.read.authorityKey.findMany({ select: { name: true } })
    assert.deepEqual(names.map(({ name }) => name).toSorted(), ['issuing', 'ocsp', 'root', 'tsa'])
    await rssp.services.register.destroyAbandoned()
    assert.equal(await database.read.hsmKey.count({ where: { state: 'ending' } }), 0)
  })

  describe('Lists', () => {
    it('are signed by their authority, and say when the next one comes', async () => {
      for (const name of ['root', 'issuing']) {
        writeFileSync(join(folder, 'list.crl'), await download(name))
        const { code, output } = await openssl(
          ...['crl', '-inform', 'DER', '-in', 'list.crl', '-CAfile', 'both.pem', '-noout', '-text'],
        )
        assert.equal(code, 0, output)
        assert.match(output, /verify OK/)
        assert.match(output, /Version 2/)
        assert.match(output, /Next Update: /)
        assert.match(output, /X509v3 Authority Key Identifier/)
        assert.match(output, /X509v3 CRL Number/)
      }
    })

    it('come with type and time, and not twice to who has it', async () => {
      const url = `${rssp.baseUrl}/pki/issuing.crl`
      const response = await fetch(url)
      assert.equal(response.headers.get('content-type'), 'application/pkix-crl')
      assert.match(response.headers.get('cache-control') ?? '', /^public, max-age=300,/)
      const etag = response.headers.get('etag') ?? ''
      const again = await fetch(url, {
        headers: { 'If-None-Match': etag, 'Cache-Control': 'max-age=0' },
      })
      assert.equal(again.status, 304)
      assert.equal((await fetch(url, { method: 'POST' })).status, 405)
    })

    it('have numbers that only go up, whichever replica signs them', async () => {
      const replica = await startRssp({ replicaOf: rssp })
      try {
        const before = numberOf(await download('issuing'))
        const others = [await rssp.addCredential(user), await rssp.addCredential(user)]
        const numbers: number[] = []
        for (const each of others) {
          await replica.services.credentials.revoke(each.id, 'test')
          const services = [rssp.services, replica.services, rssp.services, replica.services]
          const lists = await Promise.all(
            services.map(({ revocationLists }) => revocationLists.current('issuing')),
          )
          assert.equal(new Set(lists.map(({ bytes }) => bytes.toString('hex'))).size, 1)
          numbers.push(lists[0]?.number ?? 0)
        }
        assert.deepEqual(numbers, [before + 1, before + 2])
      } finally {
        await replica.close()
      }
    })
  })

  describe('OCSP', () => {
    const MALFORMED = Buffer.from('30030a0101', 'hex')

    it('answers whoever names the issuer by SHA-256, too', async () => {
      const { output } = await ocsp('-sha256', '-cert', 'leaf.pem')
      assert.match(output, /Response verify OK[^]*leaf\.pem: good/)
    })

    it('knows nothing of certificates it did not issue', async () => {
      const { output } = await ocsp('-serial', '0x4142434445464748494a4b4c4d4e4f50')
      assert.match(output, /Response verify OK[^]*: unknown/)
    })

    it('knows nothing of certificates of others', async () => {
      const { output } = await openssl(
        ...['ocsp', '-url', `${rssp.baseUrl}/ocsp`, '-CAfile', 'both.pem', '-issuer', 'root.pem'],
        ...['-cert', 'leaf.pem', '-noverify'],
      )
      assert.match(output, /leaf\.pem: unknown/)
    })

    it('answers about several certificates in one response', async () => {
      const other = await rssp.addCredential(user)
      await rssp.services.credentials.revoke(other.id, 'test')
      writeFileSync(join(folder, 'other.pem'), pem(leaf(other)))
      const { output } = await ocsp('-cert', 'leaf.pem', '-cert', 'other.pem', '-serial', '0x4141')
      assert.match(
        output,
        /Response verify OK[^]*leaf\.pem: good[^]*other\.pem: revoked[^]*0x4141: unknown/,
      )
    })

    it('is answered by GET as well, in the way caches like', async () => {
      const encoded = encodeURIComponent((await request()).toString('base64'))
      const response = await fetch(`${rssp.baseUrl}/ocsp/${encoded}`)
      assert.equal(response.headers.get('content-type'), 'application/ocsp-response')
      const control = response.headers.get('cache-control') ?? ''
      assert.match(control, /^public, max-age=300, no-transform, must-revalidate$/)
      assert.ok(response.headers.get('last-modified') && response.headers.get('expires'))
      const bytes = await bytesOf(response)
      assert.deepEqual(await bytesOf(await post(await request())), bytes)
      const etag = response.headers.get('etag') ?? ''
      const again = await fetch(`${rssp.baseUrl}/ocsp/${encoded}`, {
        headers: { 'If-None-Match': etag, 'Cache-Control': 'max-age=0' },
      })
      assert.equal(again.status, 304)
      writeFileSync(join(folder, 'response.der'), bytes)
      const { output } = await openssl(
        ...['ocsp', '-respin', 'response.der', '-CAfile', 'both.pem', '-issuer', 'issuing.pem'],
        ...['-no_nonce', '-cert', 'leaf.pem'],
      )
      assert.match(output, /Response verify OK[^]*leaf\.pem: good/)
    })

    it('takes Base64 whose slashes came as they are, two in a row as well', async () => {
      const bytes = Buffer.from('30030201ff'.padEnd(400, 'f'), 'hex')
      const response = await fetch(`${rssp.baseUrl}/ocsp/${bytes.toString('base64')}`)
      assert.deepEqual(await bytesOf(response), MALFORMED)
      const plain = (await request()).toString('base64')
      assert.equal((await bytesOf(await fetch(`${rssp.baseUrl}/ocsp/${plain}`)))[0], 0x30)
    })

    it('signs an answer without a nonce once, and one with a nonce for who asked', async () => {
      const plain = await request()
      const [one, two] = [await post(plain), await post(plain)]
      assert.deepEqual(await bytesOf(one), await bytesOf(two))
      const withNonce = await request('-cert', 'leaf.pem')
      const fresh = await post(withNonce)
      assert.equal(fresh.headers.get('cache-control'), 'no-store')
      assert.notDeepEqual(await bytesOf(fresh), await bytesOf(await post(withNonce)))
    })

    it('calls malformed what is no request', async () => {
      const good = await request('-cert', 'leaf.pem')
      const nonce = good.indexOf(Buffer.from('2b0601050507300102', 'hex'))
      const wrong: Record<string, Buffer> = {
        nothing: Buffer.alloc(0),
        text: Buffer.from('Good morning'),
        'half of one': good.subarray(0, good.length / 2),
        'one and more': Buffer.concat([good, Buffer.of(0)]),
        'too much': Buffer.alloc(100_000, 0x30),
        'deep nesting': Buffer.from('3080'.repeat(4_000), 'hex'),
        'no certificate': Buffer.from('300430023000', 'hex'),
        'a nonce that is none': Buffer.concat([
          good.subarray(0, nonce + 11),
          Buffer.of(0x02),
          good.subarray(nonce + 12),
        ]),
      }
      for (const [name, bytes] of Object.entries(wrong)) {
        const response = await post(new Uint8Array(bytes))
        assert.equal(response.status, 200, name)
        assert.equal(response.headers.get('content-type'), 'application/ocsp-response', name)
        assert.equal(response.headers.get('cache-control'), 'no-store', name)
        assert.deepEqual(await bytesOf(response), MALFORMED, name)
      }
      assert.deepEqual(await bytesOf(await fetch(`${rssp.baseUrl}/ocsp`)), MALFORMED)
      assert.deepEqual(await bytesOf(await fetch(`${rssp.baseUrl}/ocsp/%E0%A4%A`)), MALFORMED)
      assert.equal((await fetch(`${rssp.baseUrl}/ocsp`, { method: 'PUT' })).status, 405)
    })

    it('has longer and shorter nonces, but none too long', async () => {
      const plain = await request()
      for (const [bytes, works] of [
        [1, true],
        [32, true],
        [128, true],
        [0, false],
        [129, false],
      ] as const) {
        const response = await bytesOf(await post(new Uint8Array(withNonce(plain, bytes))))
        assert.equal(!response.equals(MALFORMED), works, `${bytes} octets`)
        assert.equal(response.includes(Buffer.alloc(Math.max(bytes, 1), 0xab)), works)
      }
    })
  })

  it('is there without HTTP for signatures of our own', async () => {
    const { ownRevocation, authority } = rssp.services
    const bytes = await ownRevocation.ocspResponse(leaf(credential))
    assert.ok(bytes)
    writeFileSync(join(folder, 'own.der'), bytes)
    const { output } = await openssl(
      ...['ocsp', '-respin', 'own.der', '-CAfile', 'both.pem', '-issuer', 'issuing.pem'],
      ...['-no_nonce', '-cert', 'leaf.pem'],
    )
    assert.match(output, /Response verify OK[^]*leaf\.pem: good/)
    assert.equal(await ownRevocation.ocspResponse(authority.issuingCertificate), null)
    assert.deepEqual(await ownRevocation.crl(authority.issuingCertificate), await download('root'))
    assert.deepEqual(await ownRevocation.crl(leaf(credential)), await download('issuing'))
  })

  it('says what is kept to everybody, and something new to who asks since when it was said', async () => {
    const { ownRevocation } = rssp.services
    const certificate = leaf(credential)
    const kept = await ownRevocation.ocspResponse(certificate)
    rssp.clock.advance(2)
    assert.deepEqual(await ownRevocation.ocspResponse(certificate), kept)
    const fresh = await ownRevocation.ocspResponse(certificate, rssp.clock.now())
    assert.notDeepEqual(fresh, kept)
    assert.deepEqual(await ownRevocation.ocspResponse(certificate), fresh)
  })

  describe('as time passes', () => {
    it('has OCSP answers that are signed anew before they are too old', async () => {
      const plain = await request()
      const first = await bytesOf(await post(plain))
      rssp.clock.advance(1_000)
      assert.deepEqual(await bytesOf(await post(plain)), first)
      rssp.clock.advance(900)
      assert.notDeepEqual(await bytesOf(await post(plain)), first)
    })

    it('revokes what was suspended from the suspension on (X.509, reason code extension)', async () => {
      const suspended = rssp.clock.now()
      await rssp.services.credentials.suspend(credential.id, 'operator', 'test')
      rssp.clock.advance(3600)
      await rssp.services.credentials.revoke(credential.id, 'test', 'keyCompromise')
      writeFileSync(join(folder, 'held.crl'), await download('issuing'))
      const { output } = await openssl(
        ...['crl', '-inform', 'DER', '-in', 'held.crl', '-noout', '-text'],
      )
      const { serialNumber } = parseCertificate(leaf(credential))
      const [, date = ''] =
        new RegExp(`${serialNumber}\\s+Revocation Date: (.*)`).exec(output) ?? []
      assert.equal(Date.parse(date), Math.floor(+suspended / 1000) * 1000, output)
      assert.match(output.slice(output.indexOf(serialNumber)), /Key Compromise/)
    })

    it('has lists that stay the same while nothing happens, and are renewed in time', async () => {
      const first = await download('issuing')
      assert.deepEqual(await download('issuing'), first)
      rssp.clock.advance(13 * 3600)
      const next = await download('issuing')
      assert.equal(numberOf(next), numberOf(first) + 1)
    })

    it('has lists that tell of a revoked certificate after it ended, and since when they do', async () => {
      await rssp.services.credentials.revoke(credential.id, 'test')
      const { serialNumber } = parseCertificate(leaf(credential))
      const { revocationLists } = rssp.services
      const isListed = async () => {
        const { bytes } = await revocationLists.current('issuing')
        return bytes.includes(Buffer.from(serialNumber, 'hex'))
      }
      assert.ok(await isListed())
      rssp.clock.advance(733 * 86_400)
      assert.ok(await isListed())
      writeFileSync(join(folder, 'later.crl'), await download('issuing'))
      const options = ['-inform', 'DER', '-in', 'later.crl', '-noout', '-text']
      const { output } = await openssl('crl', ...options)
      assert.ok(output.includes('2.5.29.60')) // expiredCertsOnCRL
    })
  })
})

function leaf({ certificates }: Credential): Buffer {
  const [certificate] = certificates
  assert.ok(certificate)
  return certificate
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

/** The request with a nonce of so many octets. */
function withNonce(request: Buffer, octets: number): Buffer {
  const [tbs] = (asn1js.fromBER(request).result as asn1js.Sequence).valueBlock.value
  assert.ok(tbs instanceof asn1js.Sequence)
  const nonce = new asn1js.OctetString({ valueHex: Buffer.alloc(octets, 0xab) })
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
  const value = [...tbs.valueBlock.value, extensions]
  const whole = new asn1js.Sequence({ value: [new asn1js.Sequence({ value })] })
  return Buffer.from(whole.toBER())
}
