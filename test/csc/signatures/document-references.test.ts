import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import type { HttpAnswer } from '../../../src/certificates/bounded-http.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { PLAIN_FORMAT, readPlain } from '../../support/plain-format.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  SHA384,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

type Json = Record<string, unknown>

const NOT_FETCHED = 'A document cannot be fetched from its href'
const MOST = 100_000

describe('POST signatures/signDoc with documents by reference', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let service: string
  /** What was asked for, and what there is. */
  let asked: string[]
  let answers: Record<string, Partial<HttpAnswer> | Error>

  const document = Buffer.from('<contract>What was agreed</contract>')
  const digest = digestOf(document)
  const href = 'https://docs.example/contract'

  before(async () => {
    rssp = await startRssp({
      documents: { formats: { X: PLAIN_FORMAT } },
      documentHttp: async (url, { mostBytes, headers, body }) => {
        assert.equal(headers, undefined)
        assert.equal(body, undefined)
        asked.push(url.href)
        const answer = answers[url.href] ?? { status: 404, body: Buffer.from('none') }
        if (answer instanceof Error) throw answer
        const given = { status: 200, contentType: '', body: document, ...answer }
        if (given.body.length > mostBytes) throw new Error('the answer is too large')
        return given
      },
      settings: {
        limits: { documentBytes: MOST },
        policy: {
          documentHosts: [
            { host: 'docs.example' },
            { host: 'own.example:8443', clients: ['app'] },
            { host: 'theirs.example', clients: ['another'] },
          ],
        },
      },
    })
    user = await rssp.addUser()
    client = await rssp.addClient({ client_id: 'app' })
    credential = await rssp.addCredential(user)
    service = await rssp.serviceToken(user, client)
  })
  after(() => rssp.close())
  beforeEach(() => {
    asked = []
    answers = { [href]: {} }
  })

  async function approved(...digests: Buffer[]): Promise<string> {
    const { transactions, activations } = rssp.services
    const transaction = transactions.prepare(randomUUID(), {
      ...{ clientId: client.client_id, credential, hashAlgorithm: HASH_ALGORITHMS.sha256 },
      items: digests.map((each) => ({ digest: each, label: null })),
      ...{ numSignatures: digests.length, description: null, clientData: null },
    })
    return (await activations.grantExplicitly(transaction, ['otp'])).SAD
  }

  const item = (more: Json = {}): Json => {
    return { href, signature_format: 'X', signAlgo: ECDSA_SHA256, ...more }
  }
  const call = (SAD: string, documents: unknown[], more: Json = {}): Promise<Answer> => {
    const body = { SAD, credentialID: credential.id, documents, ...more }
    return rssp.call('signatures/signDoc', body, service)
  }
  const checksum = (name: string, of = document) =>
    `${name}-${createHash(name).update(of).digest('base64')}`

  it('signs what is found there, when it was agreed to', async () => {
    const SAD = await approved(digest)
    const { status, body } = await call(SAD, [item({ access: { type: 'public' }, label: 'C' })])
    assert.equal(status, 200, JSON.stringify(body))
    assert.match(readPlain(body.DocumentWithSignature[0]).toBeSigned, /DigestValue/)
    assert.deepEqual(asked, [href])
  })

  it('signs them beside documents that are sent, in the order of the request', async () => {
    const second = 'https://own.example:8443/2?x=1'
    answers[second] = { body: Buffer.from('second') }
    const SAD = await approved(digest, digestOf('second'), digestOf('sent'))
    const sent = item({ href: undefined, document: Buffer.from('sent').toString('base64') })
    const { status, body } = await call(SAD, [item({ href: second }), sent, item()])
    assert.equal(status, 200, JSON.stringify(body))
    const expected = ['second', 'sent', document.toString()].map((text) =>
      digestOf(`canonical ${text}`).toString('base64'),
    )
    const named = (body.DocumentWithSignature as string[]).map((each) => readPlain(each).toBeSigned)
    expected.forEach((each, index) => assert.ok(named[index]?.includes(each)))
    assert.deepEqual(asked, [second, href])
  })

  const fitting: [string, unknown][] = [
    ['as text', checksum('sha256')],
    ['of another algorithm', checksum('sha512')],
    [
      'as an object',
      {
        algorithmOID: SHA384,
        value: createHash('sha384').update(document).digest('base64'),
      },
    ],
  ]
  for (const [what, given] of fitting) {
    it(`takes a checksum ${what}`, async () => {
      const { status, body } = await call(await approved(digest), [item({ checksum: given })])
      assert.equal(status, 200, JSON.stringify(body))
    })
  }

  it('signs later what it fetched before it accepted the request', async () => {
    const { body } = await call(await approved(digest), [item()], { operationMode: 'A' })
    assert.ok(body.responseID, JSON.stringify(body))
    answers = {}
    const poll = () => rssp.call('signatures/signPolling', { requestID: body.responseID }, service)
    let answer = await poll()
    for (let turn = 0; answer.status === 202 && turn < 200; turn += 1) answer = await poll()
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    assert.equal(asked.length, 1)
  })

  describe('refuses, and uses nothing up (S60):', () => {
    const unasked: [string, Json, string][] = [
      ['a host that is not listed', { href: 'https://elsewhere.example/1' }, 'href'],
      ['a host that is for another application', { href: 'https://theirs.example/1' }, 'href'],
      ['another port', { href: 'https://docs.example:8443/1' }, 'href'],
      ['http', { href: 'http://docs.example/contract' }, 'href'],
      ['a file', { href: 'file:///etc/passwd' }, 'href'],
      ['a password in the address', { href: 'https://a:b@docs.example/contract' }, 'href'],
      ['a host that only begins like one', { href: 'https://docs.example.evil/1' }, 'href'],
      ['an address of this machine', { href: 'https://127.0.0.1/1' }, 'href'],
      ['what is no address', { href: 'contract' }, 'href'],
      ['a number', { href: 7 }, 'href'],
      ['a password to be sent', { access: { type: 'OTP', oneTimePassword: '1' } }, 'access'],
      ['Basic_Auth', { access: { type: 'Basic_Auth' } }, 'access'],
      ['a text for access', { access: 'public' }, 'access'],
      ['a checksum without algorithm', { checksum: digest.toString('base64') }, 'checksum'],
      ['a checksum with MD5', { checksum: 'md5-AAAAAAAAAAAAAAAAAAAAAA==' }, 'checksum'],
      ['a checksum of 31 bytes', { checksum: `sha256-${'A'.repeat(42)}` }, 'checksum'],
      ['a number for checksum', { checksum: 5 }, 'checksum'],
      ['an unknown format', { signature_format: 'Z' }, 'signature_format'],
    ]
    for (const [what, changes, parameter] of unasked) {
      it(`${what}, and asks nobody`, async () => {
        const SAD = await approved(digest)
        const words = `Invalid parameter ${parameter}`
        assertRefusal(await call(SAD, [item(changes)]), 400, 'invalid_request', words)
        assert.deepEqual(asked, [])
        assert.equal((await call(SAD, [item()])).status, 200)
      })
    }

    it('an item that has a document and a reference', async () => {
      const both = item({ document: document.toString('base64') })
      const words = 'Invalid array parameter documents'
      assertRefusal(await call(await approved(digest), [both]), 400, 'invalid_request', words)
    })

    const unfit: [string, Partial<HttpAnswer> | Error, string][] = [
      ['what is not there', { status: 404 }, `${NOT_FETCHED}: status 404`],
      ['a redirect', { status: 302 }, `${NOT_FETCHED}: status 302`],
      ['nothing', { body: Buffer.alloc(0) }, `${NOT_FETCHED}: status 200`],
      ['a host that does not answer', new Error('connect ECONNREFUSED 10.0.0.1'), NOT_FETCHED],
      ['what is too large', { body: Buffer.alloc(MOST + 1) }, NOT_FETCHED],
    ]
    for (const [what, answer, words] of unfit) {
      it(what, async () => {
        const SAD = await approved(digest)
        answers[href] = answer
        assertRefusal(await call(SAD, [item()]), 400, 'invalid_request', words)
        answers[href] = {}
        assert.equal((await call(SAD, [item()])).status, 200)
      })
    }

    it('what its checksum is not of', async () => {
      const other = item({ checksum: checksum('sha256', Buffer.from('other')) })
      const words = 'A document is not the one its checksum is of'
      assertRefusal(await call(await approved(digest), [other]), 400, 'invalid_request', words)
    })

    it('what was not agreed to', async () => {
      answers[href] = { body: Buffer.from('exchanged') }
      const words = 'documentDigests or documents are not authorized by the SAD.'
      assertRefusal(await call(await approved(digest), [item()]), 400, 'invalid_request', words)
    })

    it('more together than one document may be', async () => {
      answers[href] = { body: Buffer.alloc(MOST / 2 + 1) }
      const two = [item(), item()]
      assertRefusal(await call(await approved(digest), two), 400, 'invalid_request', NOT_FETCHED)
    })

    it('more than a few references in one call', async () => {
      const many = Array.from({ length: 11 }, () => item())
      const words = 'More than 10 documents by reference'
      assertRefusal(await call(await approved(digest), many), 400, 'invalid_request', words)
      assert.deepEqual(asked, [])
    })
  })
})
