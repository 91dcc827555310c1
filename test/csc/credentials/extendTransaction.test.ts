import assert from 'node:assert/strict'
import type { Credential } from '../../../src/credentials/credential.js'
import { UnusableSadError } from '../../../src/errors.js'
import { signatureAlgorithm } from '../../../src/keys/algorithms.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  SHA256,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

/** Explicit credentials have theirs in authorize.test.ts; that the policy is off by default as well. */
describe('credentials/extendTransaction of what was approved on our pages, where the policy is always', () => {
  let rssp: Rssp
  let replica: Rssp
  let user: TestUser
  let client: TestClient
  let service: string
  let credential: Credential
  const [first, second, third] = ['first', 'second', 'third'].map((text) => digestOf(text)) as [
    Buffer,
    Buffer,
    Buffer,
  ]

  before(async () => {
    const settings = { policy: { extendTransaction: 'always' } }
    rssp = await startRssp({ settings })
    replica = await startRssp({ settings, replicaOf: rssp })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
    service = await rssp.serviceToken(user, client)
  })
  after(async () => {
    await replica.close()
    await rssp.close()
  })

  const approved = (digests = [first], numSignatures = 2): Promise<string> =>
    rssp.credentialToken({ user, client, credential, digests, numSignatures })
  const newestApproval = async (): Promise<string> => {
    await approved()
    const { read } = rssp.services.database
    return (await read.authorisation.findFirstOrThrow({ orderBy: { createdAt: 'desc' } })).id
  }
  const sign = (
    digest: Buffer,
    SAD: string | undefined,
    bearer: string,
    at = rssp,
  ): Promise<Answer> =>
    at.call(
      'signatures/signHash',
      {
        credentialID: credential.id,
        SAD,
        hashes: [digest.toString('base64')],
        signAlgo: ECDSA_SHA256,
      },
      bearer,
    )
  const extend = (SAD: string, digests: Buffer[], bearer = service, at = rssp): Promise<Answer> =>
    at.call(
      'credentials/extendTransaction',
      {
        credentialID: credential.id,
        SAD,
        hashes: digests.map((digest) => digest.toString('base64')),
        hashAlgorithmOID: SHA256,
      },
      bearer,
    )
  const newSad = async (SAD: string, digests: Buffer[], bearer = service): Promise<string> => {
    const { status, body } = await extend(SAD, digests, bearer)
    assert.equal(status, 200, JSON.stringify(body))
    return body.SAD
  }
  const assertInvalidSad = (answer: Answer) => {
    assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter SAD')
  }

  it('trades the token for a SAD that signs the new hash beside a service token', async () => {
    const token = await approved()
    assert.equal((await sign(first, undefined, token)).status, 200)
    const { status, body } = await extend(token, [second])
    assert.equal(status, 200, JSON.stringify(body))
    assert.deepEqual(body, { SAD: body.SAD, expiresIn: 300 })
    assert.equal((await sign(second, body.SAD, service)).status, 200)
  })

  it('serves the single redirect: the token remains good for calling, with the new SAD', async () => {
    const token = await approved()
    assert.equal((await sign(first, undefined, token)).status, 200)
    const SAD = await newSad(token, [second], token)
    assert.equal((await sign(second, SAD, token)).status, 200)
  })

  it('kills the token as a SAD, however it is presented (S9)', async () => {
    const token = await approved()
    const SAD = await newSad(token, [second])
    for (const digest of [first, second]) {
      assertInvalidSad(await sign(digest, undefined, token))
      assertInvalidSad(await sign(digest, token, service))
    }
    assertInvalidSad(await extend(token, [third]))
    assert.equal((await sign(second, SAD, service)).status, 200)
  })

  it('goes on from SAD to SAD until nothing is left, and never beyond what was agreed to', async () => {
    const token = await approved([first], 2)
    assertRefusal(
      await extend(token, [first, second, third]),
      400,
      'invalid_request',
      'Numbers of signatures is too high',
    )
    const one = await newSad(token, [second])
    assert.equal((await sign(second, one, service)).status, 200)
    const two = await newSad(one, [third])
    assertInvalidSad(await extend(one, [third]))
    assert.equal((await sign(third, two, service)).status, 200)
    assertInvalidSad(await extend(two, [first]))
  })

  it('needs new hashes at SCAL 2 (S9, S10)', async () => {
    const token = await approved()
    assertRefusal(
      await extend(token, []),
      400,
      'invalid_request',
      'Missing (or invalid type) array parameter hashes',
    )
  })

  it('refuses strangers’ tokens, expired ones and tokens of another credential', async () => {
    const token = await approved()
    const another = await rssp.addClient()
    assertInvalidSad(await extend(token, [second], await rssp.serviceToken(user, another)))
    const { body } = await rssp.call(
      'credentials/extendTransaction',
      {
        credentialID: (await rssp.addCredential(user)).id,
        SAD: token,
        hashes: [second.toString('base64')],
      },
      service,
    )
    assert.equal(body.error_description, 'Invalid parameter credentialID')
    assertInvalidSad(await extend(service, [second]))
    assertInvalidSad(await extend(token, [second], await approved()))
    rssp.clock.advance(301)
    assertRefusal(await extend(token, [second]), 400, 'invalid_request', 'SAD expired')
  })

  it('refuses a revoked approval, and with it every SAD that came of it', async () => {
    const token = await approved()
    const SAD = await newSad(token, [second])
    await rssp.call('auth/revoke', { token }, service)
    assertInvalidSad(await sign(second, SAD, service))
    assertInvalidSad(await extend(SAD, [third]))
  })

  it('lets one of 100 parallel extensions on two servers win (S8, S9)', async () => {
    const token = await approved()
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        extend(token, [second], service, n % 2 ? rssp : replica),
      ),
    )
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    for (const answer of answers) if (answer.status !== 200) assertInvalidSad(answer)
  })

  it('is decided by one write: of extensions that all saw the approval untraded, one wins', async () => {
    const authorisationId = await newestApproval()
    const { activations } = rssp.services
    const caller = { clientId: client.client_id, userId: user.id }
    const extensions = Array.from({ length: 20 }, () =>
      activations.extend({ authorisationId, sad: null, caller, digests: [second] }).then(
        () => 'extended',
        () => 'refused',
      ),
    )
    const outcomes = await Promise.all(extensions)
    assert.equal(outcomes.filter((outcome) => outcome === 'extended').length, 1)
  })

  it('leaves nothing to a signing that read the approval before it was extended', async () => {
    const authorisationId = await newestApproval()
    const { activations } = rssp.services
    const caller = { clientId: client.client_id, userId: user.id }
    const authorisation = await activations.find(authorisationId, caller)
    await activations.extend({ authorisationId, sad: null, caller, digests: [second] })
    const algorithm = signatureAlgorithm({ signAlgo: ECDSA_SHA256 })
    await assert.rejects(
      activations.redeem({
        ...{ authorisation, caller, credential, digests: [first], algorithm },
        ...{ sad: null, repeatable: null },
      }),
      UnusableSadError,
    )
  })

  it('makes no more signatures than agreed when signing and extending race on two servers (S9)', async () => {
    const token = await approved([first], 2)
    const race = Array.from({ length: 50 }, (_, n) => (n % 2 ? rssp : replica))
    const [extensions, signatures] = await Promise.all([
      Promise.all(race.map((at) => extend(token, [second], service, at))),
      Promise.all(race.map((at) => sign(first, undefined, token, at))),
    ])
    const extended = extensions.filter(({ status }) => status === 200)
    assert.ok(extended.length <= 1)
    let made = signatures.filter(({ status }) => status === 200).length
    assert.ok(made <= 1, 'the token signed what it was shown for more than once')
    for (const { body } of extended) {
      const again = await Promise.all(race.map((at) => sign(second, body.SAD, service, at)))
      const count = again.filter(({ status }) => status === 200).length
      assert.ok(count <= 1)
      made += count
    }
    assert.ok(made <= 2, `${made} signatures were made`)
    assertInvalidSad(await sign(first, undefined, token))
  })

  it('records which hashes took the place of which approval', async () => {
    const token = await approved()
    await newSad(token, [third])
    const extended = (await rssp.auditEvents()).findLast(
      ({ event }) => event === 'authorisation.extended',
    )
    assert.deepEqual(extended?.detail['digests'], [third.toString('base64')])
  })
})
