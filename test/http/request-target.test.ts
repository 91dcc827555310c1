import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { startRssp, type Rssp } from '../support/rssp.js'

describe('Request targets (S67)', () => {
  let rssp: Rssp
  before(async () => {
    rssp = await startRssp()
  })
  after(() => rssp.close())

  /** The whole answer, as it came. */
  async function ask(line: string): Promise<string> {
    const socket = connect(Number(new URL(rssp.baseUrl).port), '127.0.0.1')
    const parts: string[] = []
    socket.setEncoding('latin1').on('data', (part: string) => parts.push(part))
    socket.write(`${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    await once(socket, 'close')
    return parts.join('')
  }

  const malformed = [
    'http://',
    'http://?x',
    'http://@',
    'http://[::1',
    'http://h:99999/',
    'ftp://h/',
  ]
  for (const target of malformed) {
    it(`refuses ${target}, and takes it for no failure of its own`, async () => {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        assert.match(await ask(`${method} ${target}`), /^HTTP\/1\.1 400 /)
      }
    })
  }

  it('takes whole addresses, whatever host they name (RFC 9112, 3.2.2)', async () => {
    const answer = await ask('GET http://elsewhere.example:1/csc/v2/info?lang=en')
    assert.match(answer, /^HTTP\/1\.1 200 [^]*"specs"/)
    const other = await ask('POST http://elsewhere.example/csc/v2/credentials/list')
    assert.match(other, /^HTTP\/1\.1 400 [^]*"invalid_request"/)
    assert.match(await ask('GET http://elsewhere.example'), /^HTTP\/1\.1 404 /)
  })

  it('answers CONNECT: it opens no tunnels', async () => {
    assert.match(await ask('CONNECT elsewhere.example:443'), /^HTTP\/1\.1 501 /)
  })
})
