import assert from 'node:assert/strict'
import { parseCertificate } from '../../../src/certificates/certificate.js'
import type { Credential } from '../../../src/credentials/credential.js'
import { leaf } from '../../../src/credentials/credentials.js'
import { pssParams, signatureAlgorithm, HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { opensslVerifies } from '../../support/openssl.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  RSA_SHA256,
  SHA256,
  SHA384,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

const RSA_KEY = '1.2.840.113549.1.1.1'
const EC_KEY = '1.2.840.10045.2.1'
const RSA_PSS = '1.2.840.113549.1.1.10'
const SHA1 = '1.3.14.3.2.26'

describe('POST signatures/signHash', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let rsa: Credential
  const digest = digestOf('the agreed document')
  const other = digestOf('another document')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
    rsa = await rssp.addCredential(user, { algorithm: 'rsa-2048' })
  })
  after(() => rssp.close())

  const approve = (digests: Buffer[], more = {}) =>
    rssp.credentialToken({ user, client, credential, digests, ...more })

  const request = (digests: Buffer[], more: Record<string, unknown> = {}) => ({
    credentialID: credential.id,
    hashes: digests.map((each) => each.toString('base64')),
    signAlgo: ECDSA_SHA256,
    ...more,
  })

  const sign = (body: unknown, token?: string) => rssp.call('signatures/signHash', body, token)

  async function assertRefused(body: unknown, token: string, words: string): Promise<void> {
    const before = await signaturesMade(rssp)
    assertRefusal(await sign(body, token), 400, 'invalid_request', words)
    assert.equal(await signaturesMade(rssp), before, 'something was signed')
  }

  async function assertStillGood(token: string, body: unknown = request([digest])): Promise<void> {
    const answer = await sign(body, token)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
  }

  it('signs the approved digest; openssl verifies it under the certificate', async () => {
    const token = await approve([digest])
    const { status, body } = await sign(request([digest]), token)
    assert.equal(status, 200)
    assert.deepEqual(Object.keys(body), ['signatures'])
    assertVerifies(credential, digest, body.signatures[0], { signAlgo: ECDSA_SHA256 })
  })

  it('returns a batch in the order of the request, whatever the order of the approval', async () => {
    const digests = ['a', 'b', 'c', 'd', 'e'].map((text) => digestOf(text))
    const token = await approve(digests)
    const asked = [3, 0, 4, 1, 2].map((index) => digests[index] ?? digest)
    const { body } = await sign(request(asked), token)
    asked.forEach((each, index) => {
      assertVerifies(credential, each, body.signatures[index], { signAlgo: ECDSA_SHA256 })
    })
  })

  it('takes the credential token as SAD beside a service token', async () => {
    const service = await rssp.serviceToken(user, client)
    const SAD = await approve([digest])
    const { status } = await sign(request([digest], { SAD }), service)
    assert.equal(status, 200)
  })

  it('takes a SAD beside the very credential token it is', async () => {
    const token = await approve([digest])
    await assertStillGood(token, request([digest], { SAD: token }))
  })

  it('lets an approval for several digests be used in several calls', async () => {
    const token = await approve([digest, other])
    await assertStillGood(token, request([other]))
    await assertStillGood(token, request([digest]))
  })

  it('signs a digest twice when it was approved twice', async () => {
    const token = await approve([digest, digest])
    await assertStillGood(token, request([digest, digest]))
  })

  it('lets a SCAL 1 credential sign any digest, up to the approved number', async () => {
    const loose = await rssp.addCredential(user, { SCAL: '1' })
    const token = await approve([], { credential: loose, numSignatures: 2 })
    await assertStillGood(token, request([digest, other], { credentialID: loose.id }))
    await assertRefused(
      request([digest], { credentialID: loose.id }),
      token,
      'Invalid parameter SAD',
    )
  })

  it('holds a SCAL 1 credential to the digests when some were approved', async () => {
    const loose = await rssp.addCredential(user, { SCAL: '1' })
    const token = await approve([digest], { credential: loose })
    await assertRefused(
      request([other], { credentialID: loose.id }),
      token,
      'Hash is not authorized by the SAD.',
    )
  })

  describe('algorithms', () => {
    const cases = [
      { title: 'RSA PKCS#1 v1.5', signAlgo: RSA_SHA256 },
      { title: 'the bare RSA key OID with a hash', signAlgo: RSA_KEY, hashAlgorithmOID: SHA256 },
      {
        title: 'RSASSA-PSS',
        signAlgo: RSA_PSS,
        signAlgoParams: pssParams(HASH_ALGORITHMS.sha256).toString('base64'),
      },
    ]
    for (const { title, ...algorithm } of cases) {
      it(`signs with ${title}; openssl verifies it`, async () => {
        const token = await approve([digest], { credential: rsa })
        const body = { credentialID: rsa.id, hashes: [digest.toString('base64')], ...algorithm }
        const answer = await sign(body, token)
        assert.equal(answer.status, 200, JSON.stringify(answer.body))
        assertVerifies(rsa, digest, answer.body.signatures[0], algorithm)
      })
    }

    it('takes the bare EC key OID with a hash', async () => {
      const token = await approve([digest])
      await assertStillGood(
        token,
        request([digest], { signAlgo: EC_KEY, hashAlgorithmOID: SHA256 }),
      )
    })

    const refusals: [string, Record<string, unknown>, string][] = [
      ['another key type', { signAlgo: RSA_SHA256 }, 'Invalid parameter signAlgo'],
      ['an unknown OID', { signAlgo: '1.2.3.4' }, 'Invalid parameter signAlgo'],
      ['ECDSA with SHA-1', { signAlgo: '1.2.840.10045.4.1' }, 'Invalid parameter signAlgo'],
      ['something that is no OID', { signAlgo: '../etc' }, 'Invalid parameter signAlgo'],
      [
        'a bare key OID without a hash',
        { signAlgo: EC_KEY },
        'Missing (or invalid type) string parameter hashAlgorithmOID',
      ],
      [
        'a bare key OID with a weak hash',
        { signAlgo: EC_KEY, hashAlgorithmOID: SHA1 },
        'Invalid parameter hashAlgorithmOID',
      ],
      [
        'a hash OID that contradicts signAlgo',
        { hashAlgorithmOID: SHA384 },
        'Invalid parameter hashAlgorithmOID',
      ],
      [
        'PSS without parameters',
        { signAlgo: RSA_PSS },
        'Missing (or invalid type) string parameter signAlgoParams',
      ],
      [
        'PSS with an empty SEQUENCE, which means SHA-1',
        { signAlgo: RSA_PSS, signAlgoParams: 'MAA=' },
        'Invalid parameter signAlgoParams',
      ],
    ]
    for (const [title, more, words] of refusals) {
      it(`refuses ${title}`, async () => {
        const token = await approve([digest])
        await assertRefused(request([digest], more), token, words)
        await assertStillGood(token)
      })
    }
  })

  describe('refuses, signs nothing and uses nothing up: (S1, S5, S57)', () => {
    const cases: [string, (body: ReturnType<typeof request>) => unknown, string][] = [
      [
        'a foreign digest',
        (body) => ({ ...body, hashes: [other.toString('base64')] }),
        'Hash is not authorized by the SAD.',
      ],
      [
        'a foreign digest at the end of a batch',
        (body) => ({ ...body, hashes: [...body.hashes, other.toString('base64')] }),
        'Hash is not authorized by the SAD.',
      ],
      [
        'a foreign digest at the start of a batch',
        (body) => ({ ...body, hashes: [other.toString('base64'), ...body.hashes] }),
        'Hash is not authorized by the SAD.',
      ],
      [
        'the digest more often than approved',
        (body) => ({ ...body, hashes: [...body.hashes, ...body.hashes] }),
        'Numbers of signatures is too high',
      ],
      [
        'a digest with one bit flipped',
        (body) => ({ ...body, hashes: [flipBit(digest).toString('base64')] }),
        'Hash is not authorized by the SAD.',
      ],
      [
        'no credentialID',
        (body) => ({ ...body, credentialID: undefined }),
        'Missing (or invalid type) string parameter credentialID',
      ],
      [
        'a credentialID that is no string',
        (body) => ({ ...body, credentialID: 7 }),
        'Missing (or invalid type) string parameter credentialID',
      ],
      [
        'an unknown credentialID',
        (body) => ({ ...body, credentialID: 'nobody' }),
        'Invalid parameter credentialID',
      ],
      [
        'another credential of the same person',
        (body) => ({ ...body, credentialID: rsa.id, signAlgo: RSA_SHA256 }),
        'Invalid parameter credentialID',
      ],
      [
        'no hashes',
        (body) => ({ ...body, hashes: undefined }),
        'Missing (or invalid type) array parameter hash',
      ],
      [
        'hashes that are a string',
        (body) => ({ ...body, hashes: digest.toString('base64') }),
        'Missing (or invalid type) array parameter hash',
      ],
      ['an empty array', (body) => ({ ...body, hashes: [] }), 'Empty hash array'],
      [
        'a hash that is no string',
        (body) => ({ ...body, hashes: [1] }),
        'Invalid Base64 hash string parameter',
      ],
      [
        'a hash that is not Base64',
        (body) => ({ ...body, hashes: ['not base64!'] }),
        'Invalid Base64 hash string parameter',
      ],
      [
        'Base64 with white space',
        (body) => ({ ...body, hashes: [`${digest.toString('base64')}\n`] }),
        'Invalid Base64 hash string parameter',
      ],
      [
        'Base64 with stray bits',
        (body) => ({ ...body, hashes: [digest.toString('base64').replace(/.=$/, '/=')] }),
        'Invalid Base64 hash string parameter',
      ],
      [
        'a digest of 31 bytes',
        (body) => ({ ...body, hashes: [digest.subarray(1).toString('base64')] }),
        'Invalid digest value length',
      ],
      ['an empty digest', (body) => ({ ...body, hashes: [''] }), 'Invalid digest value length'],
      [
        'a digest of another hash',
        (body) => ({ ...body, hashes: [digestOf('x', 'sha384').toString('base64')] }),
        'Invalid digest value length',
      ],
      [
        'no signAlgo',
        (body) => ({ ...body, signAlgo: undefined }),
        'Missing (or invalid type) string parameter signAlgo',
      ],
      [
        'a signAlgo that is no string',
        (body) => ({ ...body, signAlgo: ['1.2'] }),
        'Missing (or invalid type) string parameter signAlgo',
      ],
      [
        'a SAD that is no string',
        (body) => ({ ...body, SAD: { $ne: '' } }),
        'Missing (or invalid type) string parameter SAD',
      ],
      ['an unknown SAD', (body) => ({ ...body, SAD: 'x'.repeat(43) }), 'Invalid parameter SAD'],
      [
        'clientData that is no string',
        (body) => ({ ...body, clientData: {} }),
        'Invalid parameter clientData',
      ],
      [
        'an operationMode that does not exist',
        (body) => ({ ...body, operationMode: 'B' }),
        'Invalid parameter operationMode',
      ],
      [
        'an operationMode that is no string',
        (body) => ({ ...body, operationMode: 1 }),
        'Invalid parameter operationMode',
      ],
    ]
    for (const [title, change, words] of cases) {
      it(title, async () => {
        const token = await approve([digest])
        await assertRefused(change(request([digest])), token, words)
        await assertStillGood(token)
      })
    }
  })

  it('refuses every digest length but the right one (S57)', async () => {
    const token = await approve([digest])
    for (let length = 0; length <= 200; length += 1) {
      if (length === 32) continue
      const { status, body } = await sign(request([Buffer.alloc(length, 1)]), token)
      assert.equal(status, 400)
      assert.equal(body.error_description, 'Invalid digest value length')
    }
    await assertStillGood(token)
  })

  it('takes null and empty optional members for absent', async () => {
    const token = await approve([digest])
    const more = { SAD: null, signAlgoParams: null, hashAlgorithmOID: '', operationMode: 'S' }
    await assertStillGood(token, request([digest], { ...more, clientData: null }))
  })

  it('compares digests as bytes, whichever Base64 alphabet they came in', async () => {
    const awkward = Buffer.from('fb'.repeat(32), 'hex')
    const token = await approve([awkward, awkward, awkward])
    for (const encoded of [
      awkward.toString('base64'),
      awkward.toString('base64url'),
      encodeURIComponent(awkward.toString('base64')),
    ]) {
      await assertStillGood(token, request([], { hashes: [encoded] }))
    }
  })

  it('refuses digests declared as of another hash algorithm than approved (S5)', async () => {
    const token = await approve([digest], { credential: rsa })
    const body: Record<string, unknown> = request([digest], {
      credentialID: rsa.id,
      signAlgo: RSA_KEY,
    })
    for (const [hashAlgorithmOID, words] of [
      [SHA384, 'Invalid digest value length'],
      [SHA1, 'Invalid parameter hashAlgorithmOID'],
      ['2.16.840.1.101.3.4.2.6', 'Invalid parameter hashAlgorithmOID'],
    ] as const) {
      await assertRefused({ ...body, hashAlgorithmOID }, token, words)
    }
    await assertStillGood(token, { ...body, hashAlgorithmOID: SHA256 })
  })

  it('needs a SAD beside a service token, which never signs (S39)', async () => {
    const service = await rssp.serviceToken(user, client)
    const words = 'Missing (or invalid type) string parameter SAD'
    await assertRefused(request([digest]), service, words)
    await assertRefused(request([digest], { SAD: '' }), service, words)
    await assertRefused(request([digest], { SAD: service }), service, 'Invalid parameter SAD')
    // The table of errors has the SAD before all else.
    for (const nothing of [{}, { SAD: '' }, { SAD: null }]) {
      await assertRefused(nothing, service, words)
    }
    const CREDENTIAL = 'Missing (or invalid type) string parameter credentialID'
    await assertRefused({ SAD: 'x' }, service, CREDENTIAL)
  })

  it('refuses a SAD that contradicts the bearer credential token (S4)', async () => {
    const [mine, theirs] = [await approve([digest]), await approve([digest])]
    await assertRefused(request([digest], { SAD: theirs }), mine, 'Invalid parameter SAD')
    await assertStillGood(mine)
    await assertStillGood(theirs)
  })

  it('refuses a spent token, and a spent digest of a token that is not', async () => {
    const token = await approve([digest, other])
    await assertStillGood(token)
    await assertRefused(request([digest]), token, 'Hash is not authorized by the SAD.')
    await assertStillGood(token, request([other]))
    await assertRefused(request([digest]), token, 'Invalid parameter SAD')
  })

  it('refuses an expired token, as bearer and as SAD (S7)', async () => {
    const SAD = await approve([digest])
    rssp.clock.advance(301)
    const service = await rssp.serviceToken(user, client)
    await assertRefused(request([digest], { SAD }), service, 'SAD expired')
    assertRefusal(
      await sign(request([digest]), SAD),
      401,
      'expired_token',
      'The access or refresh token is expired or has been revoked.',
    )
  })

  it('refuses a revoked credential and a disabled person at once (S7, S15)', async () => {
    const person = await rssp.addUser()
    const theirs = await rssp.addCredential(person)
    const token = await rssp.credentialToken({
      ...{ user: person, client, credential: theirs, digests: [digest] },
    })
    const second = await rssp.credentialToken({
      ...{ user: person, client, credential: theirs, digests: [digest] },
    })
    await rssp.services.credentials.revoke(theirs.id, 'test')
    await assertRefused(
      request([digest], { credentialID: theirs.id }),
      token,
      'The credential identified by credentialID is disabled',
    )
    await rssp.services.users.disable(person.id, rssp.clock.now())
    const { status, body } = await sign(request([digest], { credentialID: theirs.id }), second)
    assert.deepEqual([status, body.error], [401, 'expired_token'])
  })

  it('signs until a certificate ends, not before it begins, and refuses one that ended, naming its holder (S15)', async () => {
    const late = await startRssp()
    try {
      const person = await late.addUser({ username: 'late' })
      const app = await late.addClient()
      const short = await late.addCredential(person)
      const body = request([digest], { credentialID: short.id })
      const approved = () =>
        late.credentialToken({ user: person, client: app, credential: short, digests: [digest] })
      const signed = async (token: string) => late.call('signatures/signHash', body, token)
      const refused = async (token: string) =>
        assertRefusal(
          await signed(token),
          400,
          'invalid_request',
          "Signing certificate 'CN=Test late' is expired.",
        )
      const until = (date: Date) => (date.getTime() - late.clock.now().getTime()) / 1000
      const { notBefore, notAfter } = parseCertificate(leaf(short))

      const early = await approved()
      const back = until(notBefore) - 10
      late.clock.advance(back)
      await refused(early)
      late.clock.advance(-back)
      assert.equal((await signed(early)).status, 200)

      late.clock.advance(until(notAfter) - 100)
      const [last, over] = [await approved(), await approved()]
      late.clock.advance(until(notAfter) - 3)
      assert.equal((await signed(last)).status, 200)
      late.clock.advance(until(notAfter) + 1)
      await refused(over)
    } finally {
      await late.close()
    }
  })

  it('refuses without a bearer token, in the words of the specification', async () => {
    const words = 'Malformed authorization header.'
    assertRefusal(await sign(request([digest])), 400, 'invalid_request', words)
    for (const Authorization of [
      'Basic YTpi',
      'Bearer',
      'Bearer  ',
      'Bearer a b',
      'bearer\u00e9',
    ]) {
      const answer = await rssp
        .call('signatures/signHash', request([digest]), undefined, { Authorization })
        .catch(() => null)
      if (answer) assertRefusal(answer, 400, 'invalid_request', words)
    }
    assertRefusal(
      await sign(request([digest]), 'x'.repeat(43)),
      401,
      'invalid_token',
      'The token provided is not a valid OAuth access or refresh token.',
    )
  })

  it('isolates people and applications: of all pairs only the rightful one signs (S4)', async () => {
    const people = [user, await rssp.addUser()]
    const apps = [client, await rssp.addClient()]
    const theirs = [credential, await rssp.addCredential(people[1] ?? user)]
    const pairs = [0, 1].flatMap((u) => [0, 1].map((c) => ({ u, c })))
    for (const owner of pairs) {
      const rightful = {
        user: people[owner.u] ?? user,
        client: apps[owner.c] ?? client,
        credential: theirs[owner.u] ?? credential,
      }
      const SAD = await rssp.credentialToken({ ...rightful, digests: [digest] })
      for (const thief of pairs.filter((pair) => pair.u !== owner.u || pair.c !== owner.c)) {
        const service = await rssp.serviceToken(people[thief.u] ?? user, apps[thief.c] ?? client)
        const body = request([digest], { SAD, credentialID: theirs[thief.u]?.id })
        await assertRefused(body, service, 'Invalid parameter SAD')
      }
      const service = await rssp.serviceToken(rightful.user, rightful.client)
      await assertStillGood(
        service,
        request([digest], { SAD, credentialID: rightful.credential.id }),
      )
    }
  })

  it('releases exactly one set of signatures to 200 parallel calls with one single-use token (S2, S6)', async () => {
    const token = await approve([digest])
    const before = await signaturesMade(rssp)
    const calls = Array.from({ length: 200 }, (_, index) =>
      sign(index % 3 === 2 ? request([other]) : request([digest]), token),
    )
    const answers = await Promise.all(calls)
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    assert.ok(answers.every(({ status }) => status === 200 || status === 400))
    assert.equal(await signaturesMade(rssp), before + 1)
  })

  it('never exceeds the approved number under 100 parallel calls (S6)', async () => {
    const digests = Array.from({ length: 5 }, () => digest)
    const token = await approve(digests)
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => sign(request([digest]), token)),
    )
    assert.equal(answers.filter(({ status }) => status === 200).length, 5)
  })
})

async function signaturesMade(rssp: Rssp): Promise<number> {
  const events = await rssp.auditEvents()
  return events.filter(({ event }) => event === 'signature.created').length
}

function assertVerifies(
  credential: Credential,
  digest: Buffer,
  signature: string,
  algorithm: { signAlgo: string; hashAlgorithmOID?: string; signAlgoParams?: string },
): void {
  const { publicKey } = parseCertificate(leaf(credential))
  const bytes = Buffer.from(signature, 'base64')
  assert.ok(opensslVerifies(publicKey, digest, bytes, signatureAlgorithm(algorithm)))
}

function flipBit(digest: Buffer): Buffer {
  const flipped = Buffer.from(digest)
  flipped[31] = (flipped[31] ?? 0) ^ 1
  return flipped
}
