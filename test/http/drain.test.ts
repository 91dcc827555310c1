import assert from 'node:assert/strict'
import { Agent, createServer, request, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { Drain } from '../../src/http/drain.js'

describe('Drain of a server that is to end (S95)', () => {
  let server: Server
  let drain: Drain
  let port: number
  /** Requests that wait for an answer. */
  let waiting: ServerResponse[]
  let arrived: () => void
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })

  beforeEach(async () => {
    waiting = []
    server = createServer({ keepAliveTimeout: 300_000 }, (incoming, response) => {
      if (incoming.url === '/now') return void response.end('at once')
      waiting.push(response)
      arrived()
    })
    drain = new Drain(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })
  after(() => {
    agent.destroy()
  })

  const get = (path: string) =>
    new Promise<{ connection: string | undefined; text: string }>((resolve, reject) => {
      const sent = request({ port, host: '127.0.0.1', path, agent }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => resolve({ connection: response.headers.connection, text }))
      })
      sent.on('error', reject)
      sent.end()
    })
  /** Resolves when nobody can connect any more. */
  const closed = async () => {
    while (server.listening) await new Promise((resolve) => setImmediate(resolve))
  }
  const arriving = () => new Promise<void>((resolve) => (arrived = resolve))

  it('answers what is under way, and says that the connection ends with it', async () => {
    const came = arriving()
    const answer = get('/later')
    await came
    const ended = drain.finish({ idle: 60, most: 120 })
    await closed()
    waiting[0]?.end('done')
    assert.deepEqual(await answer, { connection: 'close', text: 'done' })
    await ended
  })

  it('answers a request that comes on a connection it has kept, which is then the last', async () => {
    assert.equal((await get('/now')).connection, 'keep-alive')
    const ended = drain.finish({ idle: 60, most: 120 })
    await closed()
    assert.deepEqual(await get('/now'), { connection: 'close', text: 'at once' })
    await ended
  })

  it('takes no new connection', async () => {
    await drain.finish({ idle: 0, most: 120 })
    await assert.rejects(get('/now'), { code: 'ECONNREFUSED' })
  })

  it('ends connections on which nothing is said, and does not wait for them', async () => {
    const silent = connect(port, '127.0.0.1')
    const gone = new Promise((resolve) => silent.once('close', resolve))
    silent.on('error', () => undefined)
    await new Promise((resolve) => silent.once('connect', resolve))
    await get('/now')
    await drain.finish({ idle: 0, most: 120 })
    await gone
  })

  it('cuts off what does not end', async () => {
    const came = arriving()
    const answer = get('/never').catch((error: NodeJS.ErrnoException) => error.code)
    await came
    await drain.finish({ idle: 0, most: 0.05 })
    assert.equal(await answer, 'ECONNRESET')
  })
})
