import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConfig, ConfigError } from '../../../src/config/load.js'
import { generateKeyPairSync } from 'node:crypto'
import { parseCertificate } from '../../../src/certificates/certificate.js'
import { OtherAuthority, pemOf } from '../../support/other-authority.js'
import { startRssp, testSettings, type Rssp, type TestUser } from '../../support/rssp.js'

describe('A certification authority of the operator’s', () => {
  const other = new OtherAuthority()
  let server: Server
  let folder: string
  let rssp: Rssp
  let user: TestUser
  let changes: Parameters<OtherAuthority['certify']>[1] = {}

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-issuer-'))
    writeFileSync(join(folder, 'anchors.pem'), pemOf(other.root.certificate))
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const csr = Buffer.from(Buffer.concat(chunks).toString(), 'base64')
        const certificates = request.url?.endsWith('cacerts')
          ? [other.issuing.certificate]
          : [other.certify(csr, changes)]
        response.writeHead(200, { 'Content-Type': 'application/pkcs7-mime' })
        response.end(other.certsOnly(...certificates))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/est`
    const issuer = { kind: 'est', url, anchorsFile: join(folder, 'anchors.pem') }
    rssp = await startRssp({
      settings: { certificateAuthority: { organization: 'Test', country: 'LT', issuer } },
    })
    user = await rssp.addUser()
  })
  after(async () => {
    await rssp.close()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(() => (changes = {}))

  it('certifies the keys of signers, in their name (S16)', async () => {
    const { certificates } = await rssp.addCredential(user)
    const [certificate, ...chain] = certificates
    assert.ok(certificate)
    assert.deepEqual(chain, [other.issuing.certificate, other.root.certificate])
    const { subject } = parseCertificate(certificate)
    assert.ok(
      subject.startsWith(`CN=Test ${user.username},givenName=Test,surname=${user.username}`),
    )
  })

  it('leaves the OCSP responder and the time-stamping unit to our own', async () => {
    const { serviceKeys, authority } = rssp.services
    const { chain } = await serviceKeys.open('tsa')
    assert.deepEqual(chain, authority.chain)
  })

  it('leaves no key and no credential behind when it certifies another key or person (S104)', async () => {
    const { database } = rssp.services
    const keys = await database.read.hsmKey.count()
    const credentials = await database.read.credential.count()
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    for (const lie of [
      { publicKey: publicKey.export({ type: 'spki', format: 'der' }) },
      { subjectName: { commonName: 'Max Muster', country: 'LT' } },
    ]) {
      changes = lie
      await assert.rejects(rssp.addCredential(user), { name: 'UnfitCertificateError' })
    }
    assert.equal(await database.read.hsmKey.count(), keys)
    assert.equal(await database.read.credential.count(), credentials)
    changes = {}
    await rssp.addCredential(user)
  })

  describe('is configured with', () => {
    const problems = (issuer: Record<string, unknown>) => {
      const certificateAuthority = { organization: 'Test', country: 'LT', issuer }
      const settings = testSettings('https://rssp.example', 1, { certificateAuthority })
      try {
        checkConfig(settings, rssp.folder, {})
        return []
      } catch (error) {
        assert.ok(error instanceof ConfigError)
        return error.problems.map(({ setting, problem }) => `${setting}: ${problem}`)
      }
    }
    const est = () => ({
      ...{ kind: 'est', url: 'https://ca.example/.well-known/est' },
      anchorsFile: join(folder, 'anchors.pem'),
    })

    it('a kind and its settings', () => {
      assert.deepEqual(problems(est()), [])
      assert.match(problems({ kind: 'scep' })[0] ?? '', /certificateAuthority\.issuer: has none/)
      assert.match(problems({ ...est(), kind: 'ejbca' })[0] ?? '', /has none of its forms/)
    })

    it('roots that can be read', () => {
      const [problem] = problems({ ...est(), anchorsFile: join(folder, 'nothing.pem') })
      assert.match(problem ?? '', /issuer\.anchorsFile: .* does not exist/)
    })

    it('a password for TLS alone, and a user who has it', () => {
      writeFileSync(join(folder, 'password'), 'secret', { mode: 0o600 })
      const passwordFile = join(folder, 'password')
      const login = { user: 'rssp', passwordFile }
      assert.deepEqual(problems({ ...est(), ...login }), [])
      assert.match(problems({ ...est(), passwordFile })[0] ?? '', /issuer\.user: is missing/)
      const plain = { ...est(), ...login, url: 'http://ca.example/.well-known/est' }
      assert.match(problems(plain)[0] ?? '', /issuer\.url: must be https/)
    })

    it('an address behind TLS, unless it is this machine', () => {
      for (const [url, expected] of [
        ['http://ca.example/.well-known/est', /issuer\.url: must be https/],
        ['http://127.ca.example/.well-known/est', /issuer\.url: must be https/],
        ['https://[/.well-known/est', /issuer\.url: must be a URL/],
      ] as const) {
        assert.match(problems({ ...est(), url })[0] ?? '', expected)
      }
      for (const host of ['127.0.0.1:8080', 'localhost', '[::1]:80']) {
        assert.deepEqual(problems({ ...est(), url: `http://${host}/.well-known/est` }), [])
      }
    })

    it('a TLS certificate together with its key', () => {
      const clientCertificateFile = join(folder, 'anchors.pem')
      const [problem] = problems({ ...est(), clientCertificateFile })
      assert.match(problem ?? '', /issuer\.clientKeyFile: is missing/)
    })
  })
})
