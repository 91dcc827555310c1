import assert from 'node:assert/strict'
import { createLocalJWKSet, flattenedVerify, type JSONWebKeySet } from 'jose'
import type { Credential } from '../../src/credentials/credential.js'
import { TimestampUnavailableError } from '../../src/errors.js'
import type { PublicPost } from '../../src/signing/public-post.js'
import { PLAIN_FORMAT, readPlain } from '../support/plain-format.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'

const RESPONSE_URI = 'https://app.example/done?id=7'

describe('Announcements of asynchronous results', () => {
  let rssp: Rssp
  let replica: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let service: string
  const posted: { url: string; headers: Record<string, string>; body: Buffer }[] = []
  let status = 204
  /** So many are given, then none. */
  let timestamps = Infinity
  let holdUp: (sent: { body: Buffer }) => Promise<void> = () => Promise.resolve()
  const digest = digestOf('document')

  before(async () => {
    const post: PublicPost = async (url, { headers, body }) => {
      posted.push({ url: url.href, headers: { ...headers }, body })
      await holdUp({ body })
      if (status === 0) throw new Error('unreachable')
      return status
    }
    const settings = { policy: { responseUriHosts: ['app.example', 'other.example:8443'] } }
    const timestamp = () => {
      timestamps -= 1
      return timestamps < 0
        ? Promise.reject(new TimestampUnavailableError('away'))
        : Promise.resolve(Buffer.from('stamp'))
    }
    const proofs = { timestamp, validationData: null }
    const documents = { formats: { X: PLAIN_FORMAT }, proofs }
    rssp = await startRssp({ settings, post, documents })
    replica = await startRssp({ settings, post, documents, replicaOf: rssp })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
    service = await rssp.serviceToken(user, client)
  })
  after(async () => {
    await replica.close()
    await rssp.close()
  })
  beforeEach(() => {
    posted.length = 0
    status = 204
    timestamps = Infinity
  })

  const signHash = (token: string, response_uri: unknown): Promise<Answer> =>
    rssp.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: [digest.toString('base64')],
        signAlgo: ECDSA_SHA256,
        operationMode: 'A',
        response_uri,
      },
      token,
    )
  const approved = () => rssp.credentialToken({ user, client, credential, digests: [digest] })
  /** A job that is done. */
  const signed = async (): Promise<string> => {
    const { body } = await signHash(await approved(), RESPONSE_URI)
    const requestID = body.responseID as string
    while ((await rssp.call('signatures/signPolling', { requestID }, service)).status === 202);
    return requestID
  }
  const waiting = async () => {
    const line = /^openrssp_backlog\{queue="announcements"\} (\d+)$/m
    return Number(line.exec(await rssp.services.metrics.text())?.[1])
  }
  const deliver = () => rssp.services.announcements.deliverDue()
  const sentFor = (responseID: string) =>
    posted.filter(({ body }) => body.toString().includes(responseID))

  it('name the job at the address given, and hold no result', async () => {
    const responseID = await signed()
    await deliver()
    const [sent, another] = sentFor(responseID)
    assert.equal(another, undefined)
    assert.equal(sent?.url, RESPONSE_URI)
    assert.deepEqual(JSON.parse(sent?.body.toString() ?? ''), { responseID })
    assert.equal(sent?.headers['Content-Type'], 'application/json')
    assert.equal(sent?.headers['Authorization'], undefined)
    const last = (await rssp.auditEvents()).findLast(({ event }) => event === 'result.announced')
    assert.deepEqual(last?.detail, { host: 'app.example' })
  })

  it('are signed with the published key, for that address alone', async () => {
    const responseID = await signed()
    await deliver()
    const [sent] = sentFor(responseID)
    const jwks = (await (await fetch(`${rssp.baseUrl}/oauth2/jwks`)).json()) as JSONWebKeySet
    const [protectedHeader = '', payload, signature = ''] =
      sent?.headers['JWS-Signature']?.split('.') ?? []
    assert.equal(payload, '')
    const verify = (body: Buffer) =>
      flattenedVerify(
        { protected: protectedHeader, payload: body.toString('base64url'), signature },
        createLocalJWKSet(jwks),
      )
    const verified = await verify(sent?.body ?? Buffer.alloc(0))
    assert.equal(verified.protectedHeader?.['aud'], RESPONSE_URI)
    await assert.rejects(verify(Buffer.from('{"responseID":"another"}')))
  })

  it('are tried again later when the application does not take them, and then no more', async () => {
    status = 500
    const responseID = await signed()
    await deliver()
    await deliver()
    assert.equal(sentFor(responseID).length, 1)
    rssp.clock.advance(31)
    status = 0
    await deliver()
    assert.equal(sentFor(responseID).length, 2)
    rssp.clock.advance(121)
    status = 302
    await deliver()
    assert.equal(sentFor(responseID).length, 3)
    rssp.clock.advance(601)
    status = 200
    await deliver()
    rssp.clock.advance(1801)
    await deliver()
    assert.equal(sentFor(responseID).length, 4)
    service = await rssp.serviceToken(user, client)
  })

  it('are given up after five attempts, and that is on record', async () => {
    status = 0
    const responseID = await signed()
    // Nothing is announced of a result that can no longer be fetched: an hour, less than all attempts.
    for (const wait of [0, 31, 121, 601, 1801, 1801]) {
      rssp.clock.advance(wait)
      await deliver()
    }
    assert.equal(sentFor(responseID).length, 5)
    const last = (await rssp.auditEvents()).findLast(
      ({ event }) => event === 'result.not-announced',
    )
    assert.deepEqual(last?.detail, { host: 'app.example', why: 'unreachable' })
    service = await rssp.serviceToken(user, client)
  })

  it('go out once when two servers look at the same time (S75)', async () => {
    const responseID = await signed()
    await Promise.all(
      [rssp, replica, rssp, replica].map(({ services }) => services.announcements.deliverDue()),
    )
    assert.equal(sentFor(responseID).length, 1)
  })

  it('of documents go out once these are complete, which nobody has to ask for', async () => {
    const { documentJobs } = rssp.services
    const document = Buffer.from('<contract/>')
    const token = await rssp.credentialToken({
      ...{ user, client, credential },
      digests: [digestOf(document)],
    })
    // The first is had before the key is used, the second not any more.
    timestamps = 1
    const item = { signature_format: 'X', conformance_level: 'AdES-B-T', signAlgo: ECDSA_SHA256 }
    const documents = [{ ...item, document: document.toString('base64') }]
    const later = { operationMode: 'A', response_uri: RESPONSE_URI }
    const asked = { credentialID: credential.id, documents, ...later }
    const { body } = await rssp.call('signatures/signDoc', asked, token)
    assert.ok(body.responseID, JSON.stringify(body))
    await documentJobs.settled()
    const finish = async () => {
      await documentJobs.finishLeft(rssp.clock.now())
      await deliver()
      return sentFor(body.responseID).length
    }
    timestamps = Infinity
    assert.equal(await finish(), 0, 'whoever signed it may still be at it')
    rssp.clock.advance(61)
    timestamps = 0
    assert.equal(await finish(), 0, 'there still is no timestamp')
    timestamps = Infinity
    assert.equal(await finish(), 1)
    const poll = { requestID: body.responseID }
    const result = await rssp.call('signatures/signPolling', poll, service)
    assert.equal(result.status, 200)
    assert.deepEqual(readPlain(result.body.DocumentWithSignature[0]).proofs, ['stamp'])
  })

  it('wait for nobody who is slow to answer', async () => {
    const [slow, next] = [await signed(), await signed()]
    const sent = new Set<string>()
    let answer = (): void => undefined
    const held = new Promise<void>((resolve) => (answer = resolve))
    holdUp = async ({ body }) => {
      sent.add((JSON.parse(body.toString()) as { responseID: string }).responseID)
      if (sent.size < 2) await held
      else answer()
    }
    await deliver()
    holdUp = () => Promise.resolve()
    assert.deepEqual(sent, new Set([slow, next]))
  })

  it('that wait are counted for whoever watches the service', async () => {
    const before = await waiting()
    await signed()
    assert.equal(await waiting(), before + 1)
    await deliver()
    assert.equal(await waiting(), before)
  })

  it('are kept sealed', async () => {
    const responseID = await signed()
    const rows = await rssp.services.database.read.signingJob.findMany()
    const stored = JSON.stringify(rows)
    assert.ok(!stored.includes(responseID) && !stored.includes('app.example'))
  })

  it('go to hosts of the application itself alone, of those that configuration allows', async () => {
    const hosts: [string[] | null, string, boolean][] = [
      [null, 'other.example:8443', true],
      [['app.example'], 'app.example', true],
      [['app.example'], 'other.example:8443', false],
      [['elsewhere.example'], 'elsewhere.example', false],
      [[], 'app.example', false],
    ]
    for (const [responseUriHosts, host, isAllowed] of hosts) {
      const own = await rssp.addClient({ registration: { responseUriHosts } })
      const token = await rssp.credentialToken({ user, client: own, credential, digests: [digest] })
      const answer = await signHash(token, `https://${host}/done`)
      if (isAllowed) assert.equal(answer.status, 200, host)
      else assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter response_uri')
    }
  })

  const refused: [string, unknown][] = [
    ['a host that is not allowed', 'https://evil.example/'],
    ['an allowed host as user name', 'https://app.example@evil.example/'],
    ['a password', 'https://user:password@app.example/'],
    ['an address without TLS', 'http://app.example/'],
    ['another port', 'https://app.example:8443/'],
    ['a host below', 'https://sub.app.example/'],
    ['a fragment', 'https://app.example/#x'],
    ['no address', 'app.example'],
    ['a number', 7],
    ['an endless address', `https://app.example/${'x'.repeat(2000)}`],
  ]
  it('are not promised to what the operator did not allow (S60)', async () => {
    const token = await approved()
    for (const [title, response_uri] of refused) {
      const answer = await signHash(token, response_uri)
      assert.equal(answer.status, 400, title)
      assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter response_uri')
    }
    assert.equal((await signHash(token, 'https://other.example:8443/x')).status, 200)
  })
})
