import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../src/config/schema.js'
import { MessageNotSentError } from '../../src/errors.js'
import { openSms } from '../../src/identity/sms.js'

type Gateway = Extract<NonNullable<Config['sms']>, { transport: 'http' }>

interface Call {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

describe('The gateway for text messages', () => {
  let server: Server
  let folder: string
  let url: string
  let calls: Call[]
  let answer: (response: ServerResponse) => void

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-sms-'))
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { method, headers } = request
        calls.push({ method, url: request.url, headers, body: Buffer.concat(chunks).toString() })
        answer(response)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/messages`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  })
  beforeEach(() => {
    calls = []
    answer = (response) => response.writeHead(202).end('{"id":"1"}')
  })

  const JSON_BODY: Gateway['body'] = {
    format: 'json',
    template: { messages: [{ destinations: ['{to}'], content: { text: '{text}' }, flash: false }] },
  }
  const open = (more: Partial<Gateway> = {}) =>
    openSms({ sms: { transport: 'http', url, body: JSON_BODY, ...more } })
  const message = { to: '+37060012345', subject: 'unused', text: 'Ihr Code lautet 12345678. Grüße' }

  it('gets the message in the JSON it wants', async () => {
    await open().send(message)
    const [call] = calls
    assert.deepEqual([call?.method, call?.url], ['POST', '/messages'])
    assert.equal(call?.headers['content-type'], 'application/json')
    assert.deepEqual(JSON.parse(call.body), {
      messages: [{ destinations: [message.to], content: { text: message.text }, flash: false }],
    })
  })

  it('gets it as a form, by another method', async () => {
    const template = { recipient: '{to}', body: 'Signing: {text}', sender: 'RSSP' }
    await open({ method: 'PUT', body: { format: 'form', template } }).send(message)
    const [call] = calls
    assert.equal(call?.method, 'PUT')
    assert.equal(call.headers['content-type'], 'application/x-www-form-urlencoded')
    assert.deepEqual(Object.fromEntries(new URLSearchParams(call.body)), {
      recipient: message.to,
      body: `Signing: ${message.text}`,
      sender: 'RSSP',
    })
  })

  it('gets headers from the configuration, and secret ones from files', async () => {
    const file = join(folder, 'token')
    writeFileSync(file, 'Bearer s3cret\n', { mode: 0o600 })
    await open({ headers: { 'X-Tenant': 'lt' }, headerFiles: { Authorization: file } }).send(
      message,
    )
    const [call] = calls
    assert.equal(call?.headers['x-tenant'], 'lt')
    assert.equal(call.headers['authorization'], 'Bearer s3cret')
  })

  for (const text of ['","to":"+1', '&to=+1', '{to}', 'a\r\nX: y', '$&', '\\"}']) {
    it(`takes ${JSON.stringify(text)} for text and nothing else`, async () => {
      await open().send({ ...message, text })
      const template = { to: '{to}', text: '{text}' }
      await open({ body: { format: 'form', template } }).send({ ...message, text })
      const [json, form] = calls.map(({ body }) => body)
      assert.deepEqual(JSON.parse(json ?? ''), {
        messages: [{ destinations: [message.to], content: { text }, flash: false }],
      })
      assert.deepEqual(
        [...new URLSearchParams(form)],
        [
          ['to', message.to],
          ['text', text],
        ],
      )
    })
  }

  const refusals: [string, (response: ServerResponse) => void][] = [
    ['says 500', (response) => response.writeHead(500).end()],
    ['refuses our token', (response) => response.writeHead(401).end()],
    ['refuses the number', (response) => response.writeHead(422).end()],
    [
      'leads elsewhere',
      (response) => response.writeHead(307, { Location: 'http://127.0.0.1:9/' }).end(),
    ],
    ['hangs up', (response) => response.destroy()],
    ['says far too much', (response) => response.end(Buffer.alloc(600 * 1024))],
  ]
  for (const [what, reply] of refusals) {
    it(`has not sent anything when it ${what}`, async () => {
      answer = reply
      await assert.rejects(open().send(message), (error: unknown) => {
        assert.ok(error instanceof MessageNotSentError)
        assert.equal(error.why, 'unavailable')
        assert.doesNotMatch(error.message, /\+370|12345678/)
        return true
      })
      assert.equal(calls.length, 1)
    })
  }

  it('is given up when it does not answer in time', async () => {
    answer = () => undefined
    await assert.rejects(open({ timeoutSeconds: 1 }).send(message), MessageNotSentError)
  })

  it('is missed when there is none', async () => {
    await assert.rejects(open({ url: 'http://127.0.0.1:9/' }).send(message), MessageNotSentError)
    await assert.rejects(openSms({}).send(message), MessageNotSentError)
  })
})
