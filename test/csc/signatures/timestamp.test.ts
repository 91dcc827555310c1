import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  readTimestampToken,
  type TimestampToken,
} from '../../../src/timestamping/timestamp-token.js'
import {
  SHA256,
  SHA384,
  SHA512,
  startRssp,
  type Answer,
  type Rssp,
  type TestUser,
} from '../../support/rssp.js'

const DIGEST = createHash('sha256').update('a document').digest()
const HASH = DIGEST.toString('base64')
const SHA1 = '1.3.14.3.2.26'

let rssp: Rssp

before(async () => {
  rssp = await startRssp()
})
after(() => rssp.close())

describe('POST /signatures/timestamp', () => {
  let user: TestUser
  let token: string

  before(async () => {
    user = await rssp.addUser()
    token = await rssp.serviceToken(user, await rssp.addClient())
  })

  const request = (changes: Record<string, unknown> = {}) => ({
    ...{ hash: HASH, hashAlgo: SHA256 },
    ...changes,
  })
  const stamp = (changes: Record<string, unknown> = {}) =>
    rssp.call('signatures/timestamp', request(changes), token)

  it('gives a token that openssl verifies up to the root of the service', async () => {
    const { status, body } = await stamp()
    assert.equal(status, 200, JSON.stringify(body))
    const directory = mkdtempSync(join(tmpdir(), 'openrssp-tsa-'))
    try {
      writeFileSync(join(directory, 'token.der'), Buffer.from(body.timestamp, 'base64'))
      writeFileSync(join(directory, 'root.der'), rssp.services.authority.rootCertificate)
      const { stdout, stderr } = spawnSync(
        'sh',
        [
          '-c',
          `openssl x509 -inform DER -in root.der -out root.pem &&
           openssl ts -verify -token_in -in token.der -digest ${DIGEST.toString('hex')} -CAfile root.pem`,
        ],
        { cwd: directory, encoding: 'utf8' },
      )
      assert.match(stdout, /Verification: OK/, stderr)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  for (const [name, hashAlgo] of [
    ['sha384', SHA384],
    ['sha512', SHA512],
  ] as const) {
    it(`takes ${name}`, async () => {
      const digest = createHash(name).update('a document').digest()
      const { body } = await stamp({ hash: digest.toString('base64'), hashAlgo })
      const { hash, imprint } = read(body)
      assert.deepEqual([hash, imprint], [name, digest])
    })
  }

  for (const [nonce, octets] of [
    ['1F2E3D4C5B6A7988', '1f2e3d4c5b6a7988'],
    ['ff', '00ff'],
    ['0000ff', '00ff'],
    ['abc', '0abc'],
    ['0', '00'],
    ['000', '00'],
  ] as const) {
    it(`puts the nonce ${nonce} into the token as the number it is`, async () => {
      const { body } = await stamp({ nonce })
      assert.equal(read(body).nonce?.toString('hex'), octets)
    })
  }

  it('puts no nonce into the token without one', async () => {
    assert.equal(read((await stamp()).body).nonce, null)
  })

  it('gives a token whose certificates can be validated later, like those of signers', async () => {
    const { material } = read((await stamp()).body)
    const credential = await rssp.addCredential(user)
    const { validation, authority } = rssp.services
    const found = await validation.source.validationData([
      ...material.certificates.map(({ der }) => der),
      ...credential.certificates,
    ])
    assert.ok(found.certificates.some((each) => each.equals(authority.rootCertificate)))
    assert.deepEqual([found.ocspResponses.length, found.crls.length], [2, 1])
  })

  it('takes the hash in Base64 of either alphabet', async () => {
    const { body } = await stamp({ hash: DIGEST.toString('base64url') })
    assert.deepEqual(read(body).imprint, DIGEST)
  })

  const refusals: [string, Record<string, unknown>, string][] = [
    ['no hash', { hash: undefined }, 'Missing (or invalid type) string parameter hash'],
    ['null for hash', { hash: null }, 'Missing (or invalid type) string parameter hash'],
    ['a number for hash', { hash: 1 }, 'Missing (or invalid type) string parameter hash'],
    ['hashes in a list', { hash: [HASH] }, 'Missing (or invalid type) string parameter hash'],
    ['an empty hash', { hash: '' }, 'Empty hash parameter'],
    ['a hash that is no Base64', { hash: '*' }, 'Invalid Base64 hash string parameter'],
    ['a short hash', { hash: 'AAAA' }, 'Invalid digest value length'],
    ['a hash of another algorithm', { hashAlgo: SHA512 }, 'Invalid digest value length'],
    ['no hashAlgo', { hashAlgo: undefined }, 'Invalid parameter hashAlgo'],
    ['a number for hashAlgo', { hashAlgo: 1 }, 'Invalid parameter hashAlgo'],
    ['an unknown hashAlgo', { hashAlgo: '1.2.3' }, 'Invalid parameter hashAlgo'],
    ['a name for hashAlgo', { hashAlgo: 'sha256' }, 'Invalid parameter hashAlgo'],
    [
      'SHA-1',
      { hash: Buffer.alloc(20).toString('base64'), hashAlgo: SHA1 },
      'Invalid parameter hashAlgo',
    ],
    ['a nonce that is no number', { nonce: 'xyz' }, 'Invalid parameter nonce'],
    ['an empty nonce', { nonce: '' }, 'Invalid parameter nonce'],
    ['a negative nonce', { nonce: '-1' }, 'Invalid parameter nonce'],
    ['a nonce with a prefix', { nonce: '0x1f' }, 'Invalid parameter nonce'],
    ['a number for nonce', { nonce: 17 }, 'Invalid parameter nonce'],
    ['a nonce of 129 digits', { nonce: '1'.repeat(129) }, 'Invalid parameter nonce'],
    ['a number for clientData', { clientData: 1 }, 'Invalid parameter clientData'],
  ]
  for (const [what, changes, error_description] of refusals) {
    it(`refuses ${what}`, async () => {
      const { status, body } = await stamp(changes)
      assert.deepEqual([status, body], [400, { error: 'invalid_request', error_description }])
    })
  }

  it('refuses whoever has no token', async () => {
    const { status, body } = await rssp.call('signatures/timestamp', request())
    assert.deepEqual(
      [status, body],
      [400, { error: 'invalid_request', error_description: 'Malformed authorization header.' }],
    )
  })

  it('is the same method in v1, and in v0', async () => {
    for (const version of ['v1', 'v0']) {
      const { status, body } = await callVersion(version, request({ nonce: '7f' }))
      assert.equal(status, 200, JSON.stringify(body))
      assert.equal(read(body).nonce?.toString('hex'), '7f')
      const refused = await callVersion(version, request({ hashAlgo: '1.2.3' }))
      assert.equal(refused.body.error_description, 'Invalid parameter hashAlgo')
    }
  })

  it('is among the methods of info, in every version', async () => {
    for (const version of ['v2', 'v1', 'v0']) {
      const answer = await fetch(`${rssp.baseUrl}/csc/${version}/info`, { method: 'POST' })
      const { methods } = (await answer.json()) as { methods: string[] }
      assert.ok(methods.includes('signatures/timestamp'))
    }
  })

  async function callVersion(
    version: string,
    body: unknown,
  ): Promise<Pick<Answer, 'status' | 'body'>> {
    const answer = await fetch(`${rssp.baseUrl}/csc/${version}/signatures/timestamp`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    })
    return { status: answer.status, body: await answer.json() }
  }
})

describe('POST /tsa', () => {
  const QUERY = 'application/timestamp-query'

  const post = (
    body: Buffer | string,
    headers: Record<string, string> = { 'Content-Type': QUERY },
  ) => fetch(`${rssp.baseUrl}/tsa`, { method: 'POST', headers, body: Buffer.from(body) })

  it('answers a query of openssl with a reply that openssl verifies', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'openrssp-tsa-'))
    const sh = (script: string) => spawnSync('sh', ['-c', script], { cwd: directory })
    try {
      const { stdout: query } = sh(
        'echo a document > document; openssl ts -query -data document -sha384 -cert | tee query.tsq',
      )
      const answer = await post(query)
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('content-type'), 'application/timestamp-reply')
      writeFileSync(join(directory, 'reply.tsr'), Buffer.from(await answer.arrayBuffer()))
      writeFileSync(join(directory, 'root.der'), rssp.services.authority.rootCertificate)
      const { stdout, stderr } = sh(
        'openssl x509 -inform DER -in root.der -out root.pem && openssl ts -verify -data document -in reply.tsr -CAfile root.pem && openssl ts -verify -queryfile query.tsq -in reply.tsr -CAfile root.pem',
      )
      assert.equal(stdout.toString().match(/Verification: OK/g)?.length, 2, stderr.toString())
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('refuses what is no request in a response, with status 200', async () => {
    const answer = await post('GET me a timestamp')
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-type'), 'application/timestamp-reply')
    assert.match(Buffer.from(await answer.arrayBuffer()).toString('latin1'), /no TimeStampReq/)
  })

  const others: [string, () => Promise<Response>, number][] = [
    ['GET', () => fetch(`${rssp.baseUrl}/tsa`), 405],
    ['JSON', () => post('{}', { 'Content-Type': 'application/json' }), 415],
    [
      'a body without a type',
      () => fetch(`${rssp.baseUrl}/tsa`, { method: 'POST', body: Buffer.alloc(5) }),
      415,
    ],
    ['a body of 5000 octets', () => post(Buffer.alloc(5000)), 413],
    [
      'a compressed body',
      () => post(Buffer.alloc(50), { 'Content-Type': QUERY, 'Content-Encoding': 'gzip' }),
      400,
    ],
  ]
  for (const [what, ask, status] of others) {
    it(`refuses ${what} with status ${status}`, async () => {
      assert.equal((await ask()).status, status)
    })
  }
})

describe('Without a timestamping authority', () => {
  let other: Rssp

  before(async () => {
    other = await startRssp({ settings: { timestamping: { source: 'none' } } })
  })
  after(() => other.close())

  it('there is neither the method nor the address', async () => {
    const { status, body } = await other.call('signatures/timestamp', {})
    assert.deepEqual([status, body.error], [501, 'not_implemented'])
    const info = await other.call('info', {})
    assert.ok(!info.body.methods.includes('signatures/timestamp'))
    const answer = await fetch(`${other.baseUrl}/tsa`, { method: 'POST' })
    assert.equal(answer.status, 404)
  })
})

function read(body: { timestamp: string }): TimestampToken {
  return readTimestampToken(Buffer.from(body.timestamp, 'base64'))
}
