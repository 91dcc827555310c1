import assert from 'node:assert/strict'
import type { Credential } from '../../../src/credentials/credential.js'
import { HsmUnavailableError } from '../../../src/errors.js'
import type { KeyCustody } from '../../../src/keys/key-custody.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

/** A token that signs when it is let, or says why not. */
class Gate {
  #open: () => void = () => undefined
  #opened = Promise.resolve()
  failure: Error | null = null

  close(): void {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  open(): void {
    this.#open()
    this.#opened = Promise.resolve()
  }

  around(custody: KeyCustody): KeyCustody {
    return {
      generate: (...request) => custody.generate(...request),
      publicKey: (keyId) => custody.publicKey(keyId),
      destroy: (keyId) => custody.destroy(keyId),
      ready: () => custody.ready(),
      close: () => custody.close(),
      sign: async (...request) => {
        await this.#opened
        if (this.failure) throw this.failure
        return custody.sign(...request)
      },
    }
  }
}

describe('Asynchronous signing', () => {
  let rssp: Rssp
  let replica: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let service: string
  const gate = new Gate()
  const digest = digestOf('document')
  const other = digestOf('other')

  before(async () => {
    const custody = (real: KeyCustody) => gate.around(real)
    const settings = { lifetimes: { resultSeconds: 600, longestResultSeconds: 1200 } }
    rssp = await startRssp({ custody, settings })
    replica = await startRssp({ custody, settings, replicaOf: rssp })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
    service = await rssp.serviceToken(user, client)
  })
  after(async () => {
    await replica.close()
    await rssp.close()
  })
  afterEach(() => {
    gate.failure = null
    gate.open()
  })

  const approved = (digests = [digest]): Promise<string> =>
    rssp.credentialToken({ user, client, credential, digests })
  const signHash = (
    token: string,
    more: Record<string, unknown> = {},
    headers: Record<string, string> = {},
    at = rssp,
  ): Promise<Answer> =>
    at.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        hashes: [digest.toString('base64')],
        signAlgo: ECDSA_SHA256,
        operationMode: 'A',
        ...more,
      },
      token,
      headers,
    )
  const accepted = async (...request: Parameters<typeof signHash>): Promise<string> => {
    const { status, body } = await signHash(...request)
    assert.equal(status, 200, JSON.stringify(body))
    assert.deepEqual(Object.keys(body), ['responseID'])
    return body.responseID
  }
  const poll = (body: Record<string, unknown>, token = service, at = rssp): Promise<Answer> =>
    at.call('signatures/signPolling', body, token)
  /** Asks until there is an answer; the work itself is what is waited for. */
  const result = async (requestID: string): Promise<Answer> => {
    for (;;) {
      const answer = await poll({ requestID })
      if (answer.status !== 202) return answer
    }
  }
  const assertUnknown = (answer: Answer) => {
    assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter requestID')
  }

  it('is announced in info', async () => {
    const { body } = await rssp.call('info', {})
    assert.equal(body.asynchronousOperationMode, true)
    assert.ok(body.methods.includes('signatures/signPolling'))
  })

  it('answers with a responseID at once, with 202 while it signs, then with the signatures in order', async () => {
    gate.close()
    const hashes = [other, digest].map((each) => each.toString('base64'))
    const responseID = await accepted(await approved([digest, other]), { hashes })
    assert.ok(Buffer.from(responseID, 'base64url').length >= 16)
    const { status, body, headers } = await poll({ requestID: responseID })
    assert.deepEqual(
      [status, body],
      [
        202,
        {
          error: 'accepted_request',
          error_description:
            'The previous asynchronous signature request has been accepted for processing, but the processing has not yet been completed.',
        },
      ],
    )
    assert.match(headers.get('retry-after') ?? '', /^\d+$/)
    gate.open()
    const done = await result(responseID)
    assert.equal(done.status, 200, JSON.stringify(done.body))
    assert.equal(done.body.signatures.length, 2)
    assert.deepEqual((await poll({ responseID }, service, replica)).body, done.body)
    const created = (await rssp.auditEvents()).findLast(
      ({ event }) => event === 'signature.created',
    )
    assert.equal((created?.detail['signatures'] as string[]).length, 2)
  })

  it('takes what was agreed to when the request is accepted, not when it is done', async () => {
    gate.close()
    const token = await approved()
    const responseID = await accepted(token)
    const { status } = await signHash(token, { operationMode: 'S' })
    assert.equal(status, 400)
    gate.open()
    assert.equal((await result(responseID)).status, 200)
  })

  it('accepts one of 50 parallel requests for one agreed signature, on two servers (S6)', async () => {
    const token = await approved()
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => signHash(token, {}, {}, n % 2 ? rssp : replica)),
    )
    const ids = answers.filter(({ status }) => status === 200)
    assert.equal(ids.length, 1)
    assert.equal((await result(ids[0]?.body.responseID)).status, 200)
  })

  it('refuses at once what signing itself refuses', async () => {
    const foreign = await signHash(await approved(), { hashes: [other.toString('base64')] })
    assertRefusal(foreign, 400, 'invalid_request', 'Hash is not authorized by the SAD.')
  })

  const refusals: [string, Record<string, unknown>, string][] = [
    ['another mode', { operationMode: 'B' }, 'Invalid parameter operationMode'],
    ['a mode that is no text', { operationMode: 1 }, 'Invalid parameter operationMode'],
    ['a period that is text', { validity_period: '1000' }, 'Invalid parameter validity_period'],
    ['half a period', { validity_period: 0.5 }, 'Invalid parameter validity_period'],
    ['no period', { validity_period: 0 }, 'Out of bounds parameter validity_period'],
    [
      'a period too long',
      { validity_period: 1_200_001 },
      'Out of bounds parameter validity_period',
    ],
    [
      'an address to be told at',
      { response_uri: 'https://app.example/done' },
      'Invalid parameter response_uri',
    ],
    ['clientData that is no text', { clientData: 1 }, 'Invalid parameter clientData'],
  ]
  describe('with what it cannot accept', () => {
    let token: string
    before(async () => {
      token = await approved()
    })
    for (const [title, more, words] of refusals) {
      it(`refuses ${title}`, async () => {
        assertRefusal(await signHash(token, more), 400, 'invalid_request', words)
      })
    }

    it('took nothing for all of them', async () => {
      assert.equal((await signHash(token, { operationMode: 'S' })).status, 200)
    })
  })

  it('does not look at period and address without mode A', async () => {
    const more = { operationMode: 'S', validity_period: 'x', response_uri: 1 }
    assert.equal((await signHash(await approved(), more)).body.signatures.length, 1)
  })

  describe('signatures/signPolling', () => {
    it('refuses no requestID, one that is no text, and an unknown one', async () => {
      const words = 'Missing (or invalid type) string parameter requestID'
      assertRefusal(await poll({}), 400, 'invalid_request', words)
      assertRefusal(await poll({ requestID: 1 }), 400, 'invalid_request', words)
      assertUnknown(await poll({ requestID: 'unknown' }))
      assertUnknown(await poll({ requestID: '' }))
    })

    it('refuses clientData that is no text, and a userID', async () => {
      const requestID = await accepted(await approved())
      const more: [Record<string, unknown>, string][] = [
        [{ clientData: 1 }, 'Invalid parameter clientData'],
        [{ userID: user.id }, 'userID parameter SHALL be null'],
        [{ userID: 1 }, 'Invalid parameter "userID"'],
      ]
      for (const [extra, words] of more) {
        assertRefusal(await poll({ requestID, ...extra }), 400, 'invalid_request', words)
      }
      assert.equal((await poll({ requestID, userID: '' })).status < 300, true)
    })

    it('shows nothing to another application or another person (S19)', async () => {
      const responseID = await accepted(await approved())
      assert.equal((await result(responseID)).status, 200)
      const strangers = [
        await rssp.serviceToken(user, await rssp.addClient()),
        await rssp.serviceToken(await rssp.addUser(), client),
      ]
      for (const bearer of strangers) assertUnknown(await poll({ requestID: responseID }, bearer))
    })

    it('takes the credential token that started it, too', async () => {
      const token = await approved()
      const responseID = await accepted(token)
      await result(responseID)
      assert.equal((await poll({ requestID: responseID }, token)).status, 200)
    })

    it('forgets the result after its period, or after the usual time (S19)', async () => {
      const short = await accepted(await approved(), { validity_period: 60_000 })
      const usual = await accepted(await approved())
      await result(usual)
      rssp.clock.advance(61)
      assertUnknown(await poll({ requestID: short }))
      assert.equal((await poll({ requestID: usual })).status, 200)
      rssp.clock.advance(600)
      assertUnknown(await poll({ requestID: usual }))
      service = await rssp.serviceToken(user, client)
    })

    it('keeps the responseID only as a hash', async () => {
      const responseID = await accepted(await approved())
      const rows = await rssp.services.database.read.signingJob.findMany()
      assert.ok(rows.length > 0)
      assert.ok(!JSON.stringify(rows).includes(responseID))
    })

    it('says 503 when the token could not be asked; what was agreed to can be used again', async () => {
      gate.failure = new HsmUnavailableError('test')
      const token = await approved()
      const failed = await result(await accepted(token))
      assert.deepEqual([failed.status, failed.body.error], [503, 'temporarily_unavailable'])
      gate.failure = null
      assert.equal((await result(await accepted(token))).status, 200)
    })

    it('says 500 when nobody knows whether it signed, and counts that as used', async () => {
      gate.failure = new Error('test')
      const token = await approved()
      const failed = await result(await accepted(token))
      assert.deepEqual([failed.status, failed.body.error], [500, 'server_error'])
      gate.failure = null
      assert.equal((await signHash(token)).status, 400)
    })
  })

  describe('with an Idempotency-Key', () => {
    it('gives one responseID to the same request, whatever has become of it', async () => {
      gate.close()
      const token = await approved()
      const key = { 'Idempotency-Key': 'same-request' }
      const first = await accepted(token, {}, key)
      assert.equal(await accepted(token, {}, key, replica), first)
      gate.open()
      await result(first)
      assert.equal(await accepted(token, {}, key), first)
    })

    it('gives it to 20 parallel ones on two servers, too', async () => {
      const token = await approved()
      const key = { 'Idempotency-Key': 'parallel-request' }
      const ids = await Promise.all(
        Array.from({ length: 20 }, (_, n) => accepted(token, {}, key, n % 2 ? rssp : replica)),
      )
      assert.equal(new Set(ids).size, 1)
      assert.equal((await result(ids[0] ?? '')).status, 200)
    })

    it('can be asked again when nothing came of it', async () => {
      gate.failure = new HsmUnavailableError('test')
      const token = await approved()
      const key = { 'Idempotency-Key': 'again' }
      const first = await accepted(token, {}, key)
      assert.equal((await result(first)).status, 503)
      gate.failure = null
      assert.equal(await accepted(token, {}, key), first)
      assert.equal((await result(first)).status, 200)
    })

    it('refuses the key for another request, or for the answer itself', async () => {
      const token = await approved([digest, other])
      const key = { 'Idempotency-Key': 'one-request' }
      await accepted(token, {}, key)
      for (const more of [{ hashes: [other.toString('base64')] }, { operationMode: 'S' }]) {
        const { status, body } = await signHash(token, more, key)
        assert.deepEqual(
          [status, body.error_description],
          [400, 'Idempotency-Key was used for another request'],
        )
      }
    })
  })
})
