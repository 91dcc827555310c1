import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import Koa from 'koa'
import { isServiceError } from '../../src/errors.js'
import { readUpload } from '../../src/verify/multipart.js'

const PART = '--x\r\nContent-Disposition: form-data; name="document"; filename="a"\r\n\r\nabc'
const WHOLE = `${PART}\r\n--x--\r\n`

describe('Uploaded forms (S56, S67)', () => {
  const app = new Koa()
  app.silent = true
  app.use(async (ctx) => {
    try {
      const { files } = await readUpload(ctx, 1000)
      ctx.body = files.get('document')?.bytes.toString() ?? 'none'
    } catch (error) {
      assert.ok(isServiceError(error), String(error))
      ctx.status = error.kind === 'request-too-large' ? 413 : 400
    }
  })
  const handle = app.callback()
  const server = createServer((request, response) => void handle(request, response))
  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => server.close())

  /** @param more bytes that are announced and never come */
  async function statusOf(body: string, more = 0): Promise<string> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const parts: string[] = []
    socket.setEncoding('latin1').on('data', (part: string) => parts.push(part))
    const headers = [
      ...['POST / HTTP/1.1', 'Host: x', 'Connection: close'],
      ...['Content-Type: multipart/form-data; boundary=x', `Content-Length: ${body.length + more}`],
    ]
    socket.write(`${headers.join('\r\n')}\r\n\r\n${body}`)
    if (more > 0) socket.end()
    await once(socket, 'close')
    return parts.join('').slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)
  }

  it('are read', async () => {
    assert.equal(await statusOf(WHOLE), '200')
  })

  it('are refused wherever they end too early, and end nothing else', async () => {
    for (let length = 0; length < WHOLE.length - '--\r\n'.length; length += 1) {
      assert.equal(await statusOf(WHOLE.slice(0, length)), '400', WHOLE.slice(0, length))
    }
    assert.equal(await statusOf(WHOLE), '200')
  })

  it('are refused with a header that is too long, or parts in parts', async () => {
    assert.equal(await statusOf(`--x\r\n${'X: y\r\n'.repeat(5000)}\r\n`), '400')
    assert.equal(await statusOf(`${PART}\r\n${PART}\r\n${PART}\r\n${WHOLE}`), '400')
  })

  it('end with the connection, and end nothing else', async () => {
    for (const body of ['', '--x', PART, `${PART}\r\n--x`]) await statusOf(body, 100)
    assert.equal(await statusOf(WHOLE), '200')
  })

  it('are refused when the file is too large', async () => {
    assert.equal(await statusOf(WHOLE.replace('abc', 'x'.repeat(1001))), '413')
  })
})
