import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { believeProxiesOnly } from '../../src/http/trusted-proxy.js'

/** What a server behind our own proxies takes for the client's address. */
describe('Addresses of clients behind proxies (S38, S51)', () => {
  const servers: Server[] = []
  after(() => {
    for (const server of servers) server.close()
  })

  async function addressSeen(
    proxy: { addresses?: string[] },
    forwardedFor: string | string[] | null,
  ): Promise<string> {
    const app = new Koa()
    app.proxy = true
    app.use(believeProxiesOnly(proxy))
    app.use((ctx) => {
      ctx.body = ctx.ip
    })
    const handle = app.callback()
    const server = createServer((request, response) => void handle(request, response))
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const headers = new Headers({ Connection: 'close' })
    for (const each of [forwardedFor ?? []].flat()) headers.append('X-Forwarded-For', each)
    return (await fetch(`http://127.0.0.1:${port}/`, { headers })).text()
  }

  const ours = { addresses: ['127.0.0.0/8', '10.1.0.0/16', 'fd00::/8'] }

  it('are those the proxy names', async () => {
    assert.equal(await addressSeen(ours, '203.0.113.7'), '203.0.113.7')
    assert.equal(await addressSeen(ours, '2001:db8::7'), '2001:db8::7')
  })

  it('are not those the client names before it', async () => {
    assert.equal(await addressSeen(ours, '192.0.2.1, 203.0.113.7'), '203.0.113.7')
    assert.equal(await addressSeen(ours, ['192.0.2.1', '203.0.113.7']), '203.0.113.7')
    assert.equal(await addressSeen({}, '192.0.2.1, 203.0.113.7'), '203.0.113.7')
  })

  it('are found behind several proxies of ours, and not before one that is not', async () => {
    assert.equal(await addressSeen(ours, '203.0.113.7, 10.1.2.3, 127.0.0.9'), '203.0.113.7')
    assert.equal(await addressSeen(ours, '203.0.113.7, fd00::3'), '203.0.113.7')
    assert.equal(await addressSeen(ours, '203.0.113.7, 10.2.2.3, 10.1.2.3'), '10.2.2.3')
  })

  it('are that of whoever connects when that is no proxy of ours', async () => {
    const others = { addresses: ['10.1.0.0/16'] }
    assert.equal(await addressSeen(others, '203.0.113.7'), '127.0.0.1')
    assert.equal(await addressSeen(ours, null), '127.0.0.1')
  })

  it('are no address of ours only because nothing else was named', async () => {
    assert.equal(await addressSeen(ours, '10.1.2.3'), '10.1.2.3')
  })
})
