import assert from 'node:assert/strict'
import { SignerBrowser, textOf } from '../support/signer-browser.js'
import type { Credential } from '../../src/credentials/credential.js'
import { Credentials } from '../../src/credentials/credentials.js'
import { configuredProfiles } from '../../src/certificates/configured-profiles.js'
import { keyAndValidity, parseCertificate } from '../../src/certificates/certificate.js'
import { CertificateUnavailableError } from '../../src/errors.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { sql, sweep } from '../../src/storage/database.js'
import { DatabaseThrottle } from '../../src/storage/throttle-store.js'
import {
  opensslText,
  opensslVerifies,
  opensslVerifiesChain,
  opensslVerifiesCms,
} from '../support/openssl.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import {
  answersOf,
  approvalPage,
  assertRedirectRefusal,
  authorizationCode,
  authorize,
  codeGrant,
  credentialRequest,
  requestToken,
  serviceRequest,
  type Changes,
} from '../oauth/application.js'

const POLICY = '1.3.6.1.4.1.32473.1.3'
const CREATION = 'https://cloudsignatureconsortium.org/2025/credential-creation'
const KIND = 'eu_eidas_aes'
const ECDSA = { scheme: 'ecdsa' as const, hash: HASH_ALGORITHMS.sha256 }

describe('A credential for one signing session (S14)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient

  before(async () => {
    const oneTime = { policyOid: POLICY, validitySeconds: 60 }
    const certificateAuthority = { organization: 'Test', country: 'LT', profiles: { oneTime } }
    const newCredentials = { perPerson: 50, multisign: 3, perPersonPerHour: 30, onTheFly: [KIND] }
    rssp = await startRssp({ settings: { certificateAuthority, newCredentials } })
    user = await rssp.addUser()
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  /** As an application has one made. */
  async function haveMade(certificatePolicy?: string) {
    rssp.clock.advance(30)
    const request = certificatePolicy === undefined ? {} : { certificatePolicy }
    const details = [{ type: CREATION, credentialCreationRequest: request }]
    const changes = { scope: null, authorization_details: JSON.stringify(details) }
    const browser = new SignerBrowser(rssp.baseUrl)
    const answer = await browser.authorize(serviceRequest(client, changes), answersOf(rssp, user))
    const code = answer.get('code')
    assert.ok(code, answer.toString())
    const { body: token } = await requestToken(rssp, codeGrant(client, code))
    const asked = { credentialInfo: true, certificates: 'chain', certInfo: true, authInfo: true }
    const body = { credentialCreationRequest: request, ...asked }
    const made = await rssp.call('credentials/create', body, token.access_token)
    assert.equal(made.status, 201, JSON.stringify(made.body))
    return { credential: await current(made.body.credentialID), info: made.body }
  }

  /** The same without the way there. */
  async function make(): Promise<Credential> {
    return rssp.services.credentials.createToCome(
      {
        ...{ user: await account(), algorithm: 'p-256', description: 'One-time key', SCAL: '2' },
        ...{ multisign: 3, pin: null },
      },
      900,
    )
  }

  async function current(id: string): Promise<Credential> {
    const credential = await rssp.services.credentialStore.find(id)
    assert.ok(credential)
    return credential
  }

  const approve = (credential: Credential, ...digests: Buffer[]) =>
    rssp.credentialToken({ user, client, credential, digests })
  const sign = (
    { id: credentialID }: Pick<Credential, 'id'>,
    token: string,
    digests: readonly Buffer[],
    headers: Record<string, string> = {},
  ) =>
    rssp.call(
      'signatures/signHash',
      {
        ...{ credentialID, hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256 },
        hashes: digests.map((digest) => digest.toString('base64')),
      },
      token,
      headers,
    )
  const keyOf = ({ keyId }: Credential) => rssp.services.custody.publicKey(keyId)
  const isListed = async ({ id }: Credential) => {
    const service = await rssp.serviceToken(user, client)
    const { body } = await rssp.call('credentials/list', { onlyValid: true }, service)
    return (body.credentialIDs as string[]).includes(id)
  }
  const account = async (of = user) => {
    const found = await rssp.services.users.find(of.id)
    assert.ok(found)
    return found
  }
  /** Keys on record that may be in the token. */
  const keys = () =>
    rssp.services.database.read.hsmKey.count({ where: { state: { not: 'ending' } } })

  it('has neither key nor certificate before its owner agrees, and says so', async () => {
    const before = await keys()
    const { credential, info } = await haveMade(POLICY)
    assert.equal(await keys(), before)
    assert.equal(await keyOf(credential), null)
    assert.deepEqual(info.cert, {})
    assert.equal(info.key.status, 'enabled')
    assert.ok(info.key.algo.includes(ECDSA_SHA256))
    assert.equal(info.auth.mode, 'oauth2code')
    assert.ok(await isListed(credential))
  })

  it('gets a certificate while its owner agrees, however long they took', async () => {
    const credential = await make()
    rssp.clock.advance(600)
    const agreed = rssp.clock.now().getTime() + 30_000
    await approve(credential, digestOf('late'))
    const { certificates, keyId, endsAt } = await current(credential.id)
    const [certificate, issuing, root] = certificates
    assert.ok(certificate && issuing && root)
    const { publicKey, notBefore, notAfter } = keyAndValidity(certificate)
    assert.equal(+notAfter - +notBefore, 60_000)
    assert.ok(+notBefore > agreed - 10_000 && +notBefore <= rssp.clock.now().getTime())
    assert.ok(!(await isListed(credential)), 'it is that session’s alone')
    assert.deepEqual(endsAt, notAfter)
    assert.deepEqual(await rssp.services.custody.publicKey(keyId), publicKey)
    assert.match(parseCertificate(certificate).subject, new RegExp(`CN=Test ${user.username}`))
    const at = ['-attime', String(+notBefore / 1000 + 1)]
    const verdict = opensslVerifiesChain(certificate, issuing, root, at)
    assert.ok(verdict.ok, verdict.output)
    const text = opensslText(certificate, '-text')
    assert.match(text, /2\.5\.29\.56|No Revocation Available/)
    assert.match(text, new RegExp(`Policy: ${POLICY}`))
    assert.doesNotMatch(text, /CRL Distribution|OCSP - URI/)
  })

  it('signs what was approved, and its key is gone with the last signature', async () => {
    const credential = await make()
    const digests = [digestOf('one'), digestOf('two')]
    const token = await approve(credential, ...digests)
    const session = await current(credential.id)
    const { publicKey } = keyAndValidity(session.certificates[0]!)
    for (const [index, digest] of digests.entries()) {
      const { status, body } = await sign(credential, token, [digest])
      assert.equal(status, 200, JSON.stringify(body))
      const signature = Buffer.from(body.signatures[0], 'base64')
      assert.ok(opensslVerifies(publicKey, digest, signature, ECDSA))
      assert.equal((await keyOf(session)) === null, index === 1)
    }
    assert.ok(!(await isListed(credential)))
    assert.equal((await current(credential.id)).status, 'deleted')
    const words = 'Invalid parameter credentialID'
    assertRefusal(await sign(credential, token, [digestOf('one')]), 400, 'invalid_request', words)
  })

  it('gives the same request the same signature, also when its key is gone', async () => {
    const credential = await make()
    const digest = digestOf('again')
    const token = await approve(credential, digest)
    const named = { 'Idempotency-Key': 'once' }
    const { body: first } = await sign(credential, token, [digest], named)
    const { body: second } = await sign(credential, token, [digest], named)
    assert.ok(first.signatures[0])
    assert.deepEqual(second, first)
    const other = await sign(credential, token, [digest], { 'Idempotency-Key': 'twice' })
    assertRefusal(other, 400, 'invalid_request', 'Invalid parameter credentialID')
  })

  it('signs no other hash, and those that were agreed to after it was asked for one', async () => {
    const credential = await make()
    const digest = digestOf('agreed')
    const token = await approve(credential, digest)
    const refused = await sign(credential, token, [digestOf('other')])
    const words = 'Hash is not authorized by the SAD.'
    assertRefusal(refused, 400, 'invalid_request', words)
    assert.equal((await sign(credential, token, [digest])).status, 200)
  })

  it('serves no second session, also before the first has signed', async () => {
    const credential = await make()
    await approve(credential, digestOf('first'))
    rssp.clock.advance(30)
    const second = credentialRequest(client, credential, [digestOf('second')])
    const answer = await authorize(rssp, user, second)
    assertRedirectRefusal(rssp, answer, 'invalid_request', 'Invalid parameter credentialID')
    const before = await keys()
    const { credentials } = rssp.services
    assert.ok(!(await credentials.beginSession(credential, 'another', await account())))
    assert.equal(await keys(), before)
  })

  it('begins one session of several at once, and leaves no key of the others', async () => {
    const credential = await make()
    const before = await keys()
    const owner = await account()
    const sessions = ['a', 'b', 'c', 'd'].map((name) =>
      rssp.services.credentials.beginSession(credential, name, owner),
    )
    assert.equal((await Promise.all(sessions)).filter(Boolean).length, 1)
    assert.equal(await keys(), before + 1)
  })

  it('signs nothing when its certificate has ended, and is gone with the next sweep', async () => {
    const credential = await make()
    const digest = digestOf('slow')
    const token = await approve(credential, digest)
    const session = await current(credential.id)
    rssp.clock.advance(61)
    const late = await sign(credential, token, [digest])
    const words = `Signing certificate 'CN=Test ${user.username}' is expired.`
    assertRefusal(late, 400, 'invalid_request', words)
    await rssp.services.credentials.endPast()
    assert.equal(await keyOf(session), null)
    assert.ok(!(await isListed(credential)))
  })

  it('cannot be approved when it waited too long, and is gone with the next sweep', async () => {
    const credential = await make()
    rssp.clock.advance(901)
    const request = credentialRequest(client, credential, [digestOf('late')])
    const words = 'The credential identified by credentialID is disabled'
    assertRedirectRefusal(rssp, await authorize(rssp, user, request), 'invalid_request', words)
    await rssp.services.credentials.endPast()
    assert.equal((await current(credential.id)).status, 'deleted')
    const ended = (await rssp.auditEvents()).filter(
      ({ event, detail }) => event === 'key.destroyed' && detail['credentialId'] === credential.id,
    )
    assert.deepEqual(ended, [])
  })

  it('leaves nothing but the record of its certificate when the process dies before it signs', async () => {
    const credential = await make()
    const { credentials, database } = rssp.services
    // What follows in the same request, the approval, never comes.
    assert.ok(await credentials.beginSession(credential, 'cut off', await account()))
    const session = await current(credential.id)
    rssp.clock.advance(61)
    await credentials.endPast()
    assert.equal(await keyOf(session), null)
    assert.equal((await current(credential.id)).status, 'deleted')
    const { keyId } = session
    const issued = await database.read.issuedCertificate.findMany({ where: { keyId } })
    assert.deepEqual(
      issued.map(({ profile, status }) => [profile, status]),
      [['one-time', 'good']],
    )
  })

  it('stays as it was when no certificate can be had, and gets one at the next attempt', async () => {
    const credential = await make()
    const { services } = rssp
    const before = await keys()
    const withoutAuthority = new Credentials({
      ...{ custody: services.register, store: services.credentialStore },
      ...{ secrets: services.secrets, audit: services.audit, now: rssp.clock.now },
      profiles: configuredProfiles(services.config.certificateAuthority),
      authority: { issue: () => Promise.reject(new CertificateUnavailableError('away')) },
    })
    const owner = await account()
    const attempt = withoutAuthority.beginSession(credential, 'first', owner)
    await assert.rejects(attempt, CertificateUnavailableError)
    assert.equal(await keys(), before)
    assert.deepEqual((await current(credential.id)).certificates, [])
    assert.ok(services.credentials.isUsable(await current(credential.id)))
    assert.ok(await services.credentials.beginSession(credential, 'second', owner))
  })

  it('gets no certificate in the name of somebody else', async () => {
    const credential = await make()
    const stranger = await account(await rssp.addUser())
    const begun = rssp.services.credentials.beginSession(credential, 'stolen', stranger)
    await assert.rejects(begun)
    assert.deepEqual((await current(credential.id)).certificates, [])
  })

  it('is no credential any more when somebody changed what it is to be (S17)', async () => {
    const credential = await make()
    const { credentialStore, credentials, database } = rssp.services
    const changed = sql`UPDATE "Credential" SET "SCAL" = '1' WHERE "id" = ${credential.id}`
    await database.commit({ changes: [sweep(changed)] })
    assert.ok(await credentialStore.find(credential.id))
    assert.equal(await credentials.find(credential.id), null)
  })

  it('is not what others get: without the policy a credential stays', async () => {
    const { credential } = await haveMade()
    assert.equal(credential.endsAt ?? null, null)
    const digest = digestOf('lasting')
    await sign(credential, await approve(credential, digest), [digest])
    rssp.clock.advance(600)
    await rssp.services.credentials.endPast()
    assert.ok(await keyOf(credential))
    assert.ok(await isListed(credential))
  })

  it('is not there for another policy', async () => {
    const request = { certificatePolicy: '1.2.3.4' }
    const details = [{ type: CREATION, credentialCreationRequest: request }]
    const changes = { scope: null, authorization_details: JSON.stringify(details) }
    const answer = await authorize(rssp, user, serviceRequest(client, changes))
    assert.ok(answer.get('error'), answer.toString())
  })

  describe('made as its owner agrees, for a kind of signature (on the fly)', () => {
    const document = Buffer.from('What was agreed')
    const digest = digestOf(document)

    const request = (changes: Changes = {}) =>
      serviceRequest(client, {
        ...{ scope: 'credential', signatureQualifier: KIND, numSignatures: '1' },
        ...{ hashes: digest.toString('base64url'), hashAlgorithmOID: SHA256 },
        ...changes,
      })
    async function token(changes: Changes = {}) {
      const code = await authorizationCode(rssp, user, request(changes))
      return (await requestToken(rssp, codeGrant(client, code))).body
    }
    const signDoc = (bearer: string, more: Record<string, unknown> = {}, headers = {}) => {
      const item = { signature_format: 'C', signed_envelope_property: 'Detached' }
      const documents = [{ ...item, document: document.toString('base64'), signAlgo: ECDSA_SHA256 }]
      const body = { signatureQualifier: KIND, documents, ...more }
      return rssp.call('signatures/signDoc', body, bearer, headers)
    }
    const ofKind = async (of = user) =>
      (await rssp.services.credentialStore.list(of.id)).filter(
        ({ signatureQualifier, status }) => signatureQualifier === KIND && status === 'enabled',
      )

    /** Those that came since: the ones before end by themselves, at any time. */
    const since = (before: { id: string }[], after: { id: string }[]) =>
      after.filter(({ id }) => !before.some((one) => one.id === id))

    it('signs a document without anybody knowing the credential before', async () => {
      const { access_token, credentialID } = await token()
      const session = await current(credentialID)
      const { status, body } = await signDoc(access_token)
      assert.equal(status, 200, JSON.stringify(body))
      const signature = Buffer.from(body.SignatureObject[0], 'base64')
      const then = ['-no_check_time']
      assert.ok(opensslVerifiesCms(signature, session.certificates, document, then))
      assert.equal(await keyOf(session), null)
      assert.deepEqual(await ofKind(), [])
    })

    it('is named in authorization_details, with the kind that was asked for', async () => {
      const detail = {
        ...{ type: 'credential', signatureQualifier: KIND, hashAlgorithmOID: SHA256 },
        documentDigests: [{ hash: digest.toString('base64'), label: 'Loan', hashType: 'SDR' }],
      }
      const parameters = { signatureQualifier: null, numSignatures: null, hashes: null }
      const answer = await token({
        ...{ ...parameters, hashAlgorithmOID: null, scope: null },
        authorization_details: JSON.stringify([detail]),
      })
      const [approved] = answer.authorization_details
      assert.deepEqual(
        { ...approved, credentialID: undefined },
        {
          ...{ ...detail, numSignatures: 1 },
          credentialID: undefined,
        },
      )
      const info = { credentialID: approved.credentialID, certificates: 'chain', certInfo: true }
      const described = await rssp.call('credentials/info', info, answer.access_token)
      assert.equal(described.body.cert.status, 'valid')
      assert.equal(described.body.signatureQualifier, KIND)
      assert.equal(described.body.cert.certificates.length, 3)
      assert.equal((await signDoc(answer.access_token)).status, 200)
    })

    it('is shown as one to be issued, and is there only from the approval on', async () => {
      const before = await keys()
      const page = await approvalPage(rssp, new SignerBrowser(rssp.baseUrl), user, request())
      assert.match(textOf(page.html), /Issued in your name when you approve/)
      const [waiting] = await ofKind()
      assert.ok(waiting)
      assert.deepEqual(waiting.certificates, [])
      assert.equal(await keys(), before)
      assert.ok(!(await isListed(waiting)))
    })

    it('is given up with the request when its owner rejects it', async () => {
      const before = await ofKind()
      const answer = await authorize(rssp, user, request(), { decision: 'reject' })
      assert.equal(answer.get('error'), 'access_denied')
      assert.deepEqual(since(before, await ofKind()), [])
    })

    it('signs later, and the result is fetched when its key is gone', async () => {
      const { access_token } = await token()
      const { body } = await signDoc(access_token, { operationMode: 'A' })
      assert.ok(body.responseID, JSON.stringify(body))
      const poll = () =>
        rssp.call('signatures/signPolling', { requestID: body.responseID }, access_token)
      let answer = await poll()
      for (let turn = 0; answer.status === 202 && turn < 200; turn += 1) answer = await poll()
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      assert.equal(answer.body.SignatureObject.length, 1)
    })

    it('gives the same request the same document signature', async () => {
      const { access_token } = await token()
      const named = { 'Idempotency-Key': 'document-once' }
      const { body: first } = await signDoc(access_token, {}, named)
      const { body: second } = await signDoc(access_token, {}, named)
      assert.ok(first.SignatureObject[0], JSON.stringify(first))
      assert.deepEqual(second, first)
    })

    it('signs no document but the one that was agreed to, and that once', async () => {
      const { access_token } = await token()
      const other = {
        documents: [
          {
            ...{ signature_format: 'C', signed_envelope_property: 'Detached' },
            ...{ document: Buffer.from('else').toString('base64'), signAlgo: ECDSA_SHA256 },
          },
        ],
      }
      const words = 'Document or documentDigest does not match authroized hash'
      assertRefusal(await signDoc(access_token, other), 403, 'invalid_hash', words)
      const otherKind = await signDoc(access_token, { signatureQualifier: 'eu_eidas_qes' })
      const unfit = 'Invalid parameter signatureQualifier'
      assertRefusal(otherKind, 400, 'invalid_request', unfit)
      assert.equal((await signDoc(access_token)).status, 200)
      const again = await signDoc(access_token)
      assert.ok(again.status >= 400 && again.status < 500, JSON.stringify(again.body))
    })

    it('is not used when its certificate has ended', async () => {
      const { access_token } = await token()
      rssp.clock.advance(61)
      const words = `Signing certificate 'CN=Test ${user.username}' is expired.`
      assertRefusal(await signDoc(access_token), 400, 'invalid_request', words)
    })

    it('is not made for who has a credential of that kind', async () => {
      const other = await rssp.addUser()
      const lasting = await rssp.addCredential(other, { signatureQualifier: KIND })
      const code = await authorizationCode(rssp, other, request())
      const { body } = await requestToken(rssp, codeGrant(client, code))
      assert.equal(body.credentialID, lasting.id)
    })

    const refusals: [string, Changes, string][] = [
      [
        'a kind that nobody gets one for',
        { signatureQualifier: 'eu_eidas_qes' },
        'Invalid parameter signatureQualifier',
      ],
      [
        'more signatures than one approval may cover',
        { numSignatures: '4' },
        'Numbers of signatures is too high',
      ],
    ]
    for (const [what, changes, words] of refusals) {
      it(`is not made for ${what}`, async () => {
        const before = await rssp.services.credentialStore.list(user.id)
        const answer = await authorize(rssp, user, request(changes))
        assertRedirectRefusal(rssp, answer, 'invalid_request', words)
        assert.deepEqual(since(before, await rssp.services.credentialStore.list(user.id)), [])
      })
    }

    it('is not made for who could not approve with a second factor', async () => {
      const without = await rssp.addUser({ withoutAuthenticator: true })
      const answer = await authorize(rssp, without, request())
      const words = 'The signer has no second authentication factor'
      assertRedirectRefusal(rssp, answer, 'invalid_request', words)
    })

    it('is not made more often than a person may have new ones', async () => {
      const busy = await rssp.addUser()
      const throttle = new DatabaseThrottle(rssp.services.database, rssp.clock.now)
      for (let made = 0; made < 30; made += 1) {
        await throttle.allow(`new credential ${busy.id}`, 30, 3600)
      }
      const page = await approvalPage(rssp, new SignerBrowser(rssp.baseUrl), busy, request())
      assert.equal(page.status, 429)
      assert.deepEqual(await ofKind(busy), [])
    })
  })
})
