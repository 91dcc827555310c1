import assert from 'node:assert/strict'
import Koa from 'koa'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { health } from '../../src/observability/health.js'

describe('Health', () => {
  let server: Server
  let hsm: () => Promise<boolean>
  let leaving: boolean
  let looks: number
  let looking: Promise<void>
  let requests: number

  beforeEach(async () => {
    hsm = () => Promise.resolve(true)
    leaving = false
    looks = 0
    requests = 0
    looking = Promise.resolve()
    const app = new Koa()
    const checks = {
      hsm: () => hsm(),
      database: async () => {
        looks += 1
        await looking
        return true
      },
      leaving: () => leaving,
    }
    app.use(health(checks))
    const handle = app.callback()
    server = createServer((request, response) => {
      requests += 1
      void handle(request, response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterEach(() => {
    server.close()
    server.closeAllConnections()
  })

  async function ask(path: string): Promise<[number, unknown]> {
    const { port } = server.address() as AddressInfo
    const answer = await fetch(`http://127.0.0.1:${port}${path}`)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    return [answer.status, await answer.json()]
  }

  it('is ready when every part works', async () => {
    const ready = { status: 'ready', hsm: true, database: true, leaving: false }
    assert.deepEqual(await ask('/health/ready'), [200, ready])
  })

  it('is not ready when a part fails, and says which', async () => {
    hsm = () => Promise.reject(new Error('gone'))
    const [status, body] = await ask('/health/ready')
    assert.equal(status, 503)
    assert.deepEqual(body, { status: 'not ready', hsm: false, database: true, leaving: false })
  })

  it('is not ready, in bounded time, when a part hangs; alive it is', async () => {
    hsm = () => new Promise(() => undefined)
    const asked = ask('/health/ready')
    assert.deepEqual(await ask('/health/live'), [200, { status: 'live' }])
    const begun = performance.now()
    assert.equal((await asked)[0], 503)
    assert.ok(performance.now() - begun < 20_000)
  })

  it('is not ready when the process is about to end', async () => {
    leaving = true
    const [status, body] = await ask('/health/ready')
    assert.equal(status, 503)
    assert.deepEqual(body, { status: 'not ready', hsm: true, database: true, leaving: true })
  })

  it('looks once for all who ask while it looks', async () => {
    let found: () => void = () => undefined
    looking = new Promise((resolve) => (found = resolve))
    const asked = Array.from({ length: 20 }, () => ask('/health/ready'))
    while (requests < 20) await new Promise((resolve) => setImmediate(resolve))
    found()
    await Promise.all(asked)
    assert.equal(looks, 1)
    await ask('/health/ready')
    assert.equal(looks, 2)
  })
})
