import assert from 'node:assert/strict'
import { request } from 'node:http'
import { gzipSync } from 'node:zlib'
import { assertRefusal, startRssp, type Answer, type Rssp } from '../support/rssp.js'

const MALFORMED =
  'The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed.'

describe('Bodies of API calls (S54, S56)', () => {
  let rssp: Rssp
  let token: string
  before(async () => {
    rssp = await startRssp()
    token = await rssp.serviceToken(await rssp.addUser(), await rssp.addClient())
  })
  after(() => rssp.close())

  const call = (body: string, headers: Record<string, string> = {}): Promise<Answer> =>
    rssp.call('credentials/list', body, token, headers)

  const malformed: [string, string][] = [
    ['no JSON', '{'],
    ['a lone word', 'nonsense'],
    ['an array', '[]'],
    ['a string', '"x"'],
    ['null', 'null'],
    ['a number', '1'],
    ['two documents', '{}{}'],
    ['a trailing comma', '{"lang":"en",}'],
    ['a comment', '{/* */}'],
    ['a member twice', '{"lang":"en","lang":"de"}'],
    ['a member twice, once escaped', '{"lang":"en","\\u006cang":"de"}'],
    ['a member twice, deeper down', '{"x":[{"a":1,"a":2}]}'],
    ['__proto__', '{"__proto__":{"credentialInfo":true}}'],
    ['NaN', '{"x":NaN}'],
    ['a NUL byte', '{"x":"\u0000"}'],
    ['nesting of 17', `{"x":${'['.repeat(16)}${']'.repeat(16)}}`],
    ['nesting of 100,000', `{"x":${'['.repeat(100_000)}`],
    ['100,000 objects in one another', '{"x":'.repeat(100_000)],
  ]
  for (const [title, body] of malformed) {
    it(`refuses ${title}`, async () => {
      assertRefusal(await call(body), 400, 'invalid_request', MALFORMED)
    })
  }

  it('takes nesting of 16, and members of one name in different objects', async () => {
    assert.equal((await call(`{"x":${'['.repeat(15)}${']'.repeat(15)}}`)).status, 200)
    assert.equal((await call('{"x":{"a":1},"y":{"a":2},"z":"{\\"a\\":1,\\"a\\":2}"}')).status, 200)
  })

  it('refuses bytes that are not UTF-8', async () => {
    const response = await fetch(`${rssp.baseUrl}/csc/v2/credentials/list`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      body: new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    })
    assert.equal(response.status, 400)
  })

  it('refuses other media types', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml']) {
      assertRefusal(await call('{}', { 'Content-Type': type }), 400, 'invalid_request', MALFORMED)
    }
  })

  it('takes application/json with parameters', async () => {
    assert.equal(
      (await call('{}', { 'Content-Type': 'application/json;charset=utf-8' })).status,
      200,
    )
  })

  it('refuses compressed bodies, so that none can blow up (S55)', async () => {
    const response = await fetch(`${rssp.baseUrl}/csc/v2/credentials/list`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'Content-Encoding': 'gzip',
        Authorization: `Bearer ${token}`,
      },
      body: new Uint8Array(gzipSync(Buffer.alloc(1_000_000, ' '))),
    })
    assert.equal(response.status, 400)
  })

  it('refuses a body over the limit by its announced length', async () => {
    const { status, body } = await call(`{"x":"${'a'.repeat(1_048_577)}"}`)
    assert.deepEqual([status, body.error], [413, 'invalid_request'])
  })

  it('refuses an endless body without a length while it streams, and goes on serving', async () => {
    const { status, sent } = await endlessBody(rssp.baseUrl, token)
    assert.equal(status, 413)
    assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were taken`)
    assert.equal((await call('{}')).status, 200)
  })

  it('answers who is still sending what is too large, rather than to reset the connection', async () => {
    const half = 'x'.repeat(2_000_000)
    const headers = {
      ...{ 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      'Content-Length': 2 * half.length,
    }
    const url = `${rssp.baseUrl}/csc/v2/credentials/list`
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(url, { method: 'POST', headers }, (response) => {
        response.resume().on('end', () => resolve(sent.writableFinished ? response.statusCode : 0))
      })
      sent.on('error', reject)
      sent.write(half)
      // When others were answered, it has been seen how long this one is to be.
      void call('{}').then(() => sent.end(half))
    })
    assert.equal(status, 413)
  })

  it('counts a batch of a million hashes as too large, not as work', async () => {
    const hashes = Array.from({ length: 1_000_000 }, () => 'AA==')
    const { status } = await rssp.call('signatures/signHash', { hashes }, token)
    assert.equal(status, 413)
  })

  it('knows no coercion: wrong types are named, nothing is a 500', async () => {
    const values: unknown[] = [0, -1, 1.5, 2 ** 53, true, '', 'x', [], {}, [[]], { toString: 1 }]
    for (const method of ['credentials/list', 'credentials/info', 'signatures/signHash', 'info']) {
      for (const name of [
        'credentialID',
        'hashes',
        'SAD',
        'signAlgo',
        'certificates',
        'certInfo',
      ]) {
        for (const value of values) {
          const { status } = await rssp.call(method, { [name]: value }, token)
          assert.ok(status < 500, `${method} ${name} ${JSON.stringify(value)}: ${status}`)
        }
      }
    }
  })
})

/** Sends until the server has answered or 64 MiB are through. */
function endlessBody(baseUrl: string, token: string): Promise<{ status: number; sent: number }> {
  return new Promise((resolve, reject) => {
    let sent = 0
    let status = 0
    const outgoing = request(`${baseUrl}/csc/v2/credentials/list`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'Transfer-Encoding': 'chunked',
        Authorization: `Bearer ${token}`,
      },
    })
    const chunk = Buffer.alloc(64 * 1024, 'a')
    const pump = (): void => {
      if (status !== 0 || sent > 64 * 1024 * 1024) {
        outgoing.destroy()
        return
      }
      sent += chunk.length
      outgoing.write(chunk, () => setImmediate(pump))
    }
    outgoing.on('response', (response) => {
      status = response.statusCode ?? 0
      response.resume()
      resolve({ status, sent })
    })
    outgoing.on('error', (error) => {
      if (status === 0) reject(error)
    })
    pump()
  })
}
