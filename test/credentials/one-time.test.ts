import assert from 'node:assert/strict'
import { SignerBrowser } from '../support/signer-browser.js'
import type { Credential } from '../../src/credentials/credential.js'
import { keyAndValidity } from '../../src/certificates/certificate.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { opensslText, opensslVerifies, opensslVerifiesChain } from '../support/openssl.js'
import {
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { answersOf, codeGrant, requestToken, serviceRequest } from '../oauth/application.js'

const POLICY = '1.3.6.1.4.1.32473.1.3'
const CREATION = 'https://cloudsignatureconsortium.org/2025/credential-creation'

describe('A credential for one signing session (S14)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient

  before(async () => {
    const oneTime = { policyOid: POLICY, validitySeconds: 120 }
    const certificateAuthority = { organization: 'Test', country: 'LT', profiles: { oneTime } }
    const newCredentials = { perPerson: 50, multisign: 3 }
    rssp = await startRssp({ settings: { certificateAuthority, newCredentials } })
    user = await rssp.addUser()
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  /** As an application has one made. */
  async function make(certificatePolicy?: string): Promise<Credential> {
    rssp.clock.advance(30)
    const request = certificatePolicy === undefined ? {} : { certificatePolicy }
    const details = [{ type: CREATION, credentialCreationRequest: request }]
    const changes = { scope: null, authorization_details: JSON.stringify(details) }
    const browser = new SignerBrowser(rssp.baseUrl)
    const answer = await browser.authorize(serviceRequest(client, changes), answersOf(rssp, user))
    const code = answer.get('code')
    assert.ok(code, answer.toString())
    const { body: token } = await requestToken(rssp, codeGrant(client, code))
    const body = { credentialCreationRequest: request, credentialInfo: true }
    const made = await rssp.call('credentials/create', body, token.access_token)
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const credential = await rssp.services.credentials.find(made.body.credentialID)
    assert.ok(credential)
    return credential
  }

  const approve = (credential: Credential, ...digests: Buffer[]) =>
    rssp.credentialToken({ user, client, credential, digests })
  const sign = (credential: Credential, SAD: string, ...digests: Buffer[]) =>
    rssp.call(
      'signatures/signHash',
      {
        ...{ credentialID: credential.id, hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256 },
        hashes: digests.map((digest) => digest.toString('base64')),
      },
      SAD,
    )
  const keyOf = ({ keyId }: Credential) => rssp.services.custody.publicKey(keyId)
  const isListed = async ({ id }: Credential) => {
    const service = await rssp.serviceToken(user, client)
    const { body } = await rssp.call('credentials/list', {}, service)
    return (body.credentialIDs as string[]).includes(id)
  }

  it('has a certificate that ends soon and is never revoked, which openssl takes', async () => {
    const { certificates } = await make(POLICY)
    const [certificate, issuing, root] = certificates
    assert.ok(certificate && issuing && root)
    const { notBefore, notAfter } = keyAndValidity(certificate)
    assert.equal(+notAfter - +notBefore, 120_000)
    const at = ['-attime', String(+notBefore / 1000 + 1)]
    const verdict = opensslVerifiesChain(certificate, issuing, root, at)
    assert.ok(verdict.ok, verdict.output)
    const text = opensslText(certificate, '-text')
    assert.match(text, /2\.5\.29\.56|No Revocation Available/)
    assert.match(text, new RegExp(`Policy: ${POLICY}`))
    assert.doesNotMatch(text, /CRL Distribution|OCSP - URI/)
  })

  it('signs what was approved, and its key is gone with the last signature', async () => {
    const credential = await make(POLICY)
    const { publicKey } = keyAndValidity(credential.certificates[0]!)
    const digests = [digestOf('one'), digestOf('two')]
    const token = await approve(credential, ...digests)
    const scheme = { scheme: 'ecdsa' as const, hash: HASH_ALGORITHMS.sha256 }
    for (const [index, digest] of digests.entries()) {
      const { status, body } = await sign(credential, token, digest)
      assert.equal(status, 200, JSON.stringify(body))
      const signature = Buffer.from(body.signatures[0], 'base64')
      assert.ok(opensslVerifies(publicKey, digest, signature, scheme))
      assert.equal((await keyOf(credential)) === null, index === 1)
    }
    assert.ok(!(await isListed(credential)))
    assert.equal((await rssp.services.credentialStore.find(credential.id))?.status, 'deleted')
  })

  it('signs nothing more once its key is gone', async () => {
    const credential = await make(POLICY)
    const digest = digestOf('once')
    const token = await approve(credential, digest)
    assert.equal((await sign(credential, token, digest)).status, 200)
    const again = await sign(credential, token, digest)
    assert.ok(again.status >= 400 && again.status < 500, JSON.stringify(again.body))
  })

  it('serves no second session, also before the first has signed', async () => {
    const credential = await make(POLICY)
    await approve(credential, digestOf('first'))
    rssp.clock.advance(30)
    const browser = new SignerBrowser(rssp.baseUrl)
    const second = serviceRequest(client, {
      ...{ scope: 'credential', credentialID: credential.id, numSignatures: '1' },
      ...{ hashes: digestOf('second').toString('base64url'), hashAlgorithmOID: SHA256 },
    })
    const answer = await browser.authorize(second, answersOf(rssp, user))
    assert.equal(answer.get('error'), 'invalid_request')
    assert.equal(answer.get('error_description'), 'Invalid parameter credentialID')
    assert.ok(!(await rssp.services.credentials.beginSession(credential, 'another')))
  })

  it('signs nothing after its end, and is gone with the next sweep when it was given up', async () => {
    const [used, unused] = [await make(POLICY), await make(POLICY)]
    const digest = digestOf('late')
    const token = await approve(used, digest)
    rssp.clock.advance(121)
    const late = await sign(used, token, digest)
    assert.equal(late.status, 400)
    await rssp.services.credentials.endPast()
    for (const each of [used, unused]) {
      assert.equal(await keyOf(each), null)
      assert.ok(!(await isListed(each)))
    }
  })

  it('is not what others get: without the policy a credential stays', async () => {
    const credential = await make()
    assert.equal(credential.endsAt ?? null, null)
    const digest = digestOf('lasting')
    await sign(credential, await approve(credential, digest), digest)
    rssp.clock.advance(600)
    await rssp.services.credentials.endPast()
    assert.ok(await keyOf(credential))
    assert.ok(await isListed(credential))
  })

  it('is not there for another policy', async () => {
    rssp.clock.advance(30)
    const request = { certificatePolicy: '1.2.3.4' }
    const details = [{ type: CREATION, credentialCreationRequest: request }]
    const changes = { scope: null, authorization_details: JSON.stringify(details) }
    const browser = new SignerBrowser(rssp.baseUrl)
    const answer = await browser.authorize(serviceRequest(client, changes), answersOf(rssp, user))
    assert.ok(answer.get('error'), answer.toString())
  })
})
