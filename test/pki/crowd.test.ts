import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { pino } from 'pino'
import { Gate } from '../../src/admission/gate.js'
import { publication } from '../../src/pki/publication.js'
import { timestampAuthority } from '../../src/pki/timestamp-authority.js'

const OCSP_TRY_LATER = Buffer.from('30030a0103', 'hex')

/** OCSP, lists and timestamps are for everybody: how much of that runs at a time is bounded. */
for (const [who, limits, status] of [
  ['one address', { waiting: 5, waitingEach: 0 }, 429],
  ['everybody', { waiting: 0, waitingEach: 5 }, 503],
] as const) {
  describe(`OCSP, revocation lists and timestamps under a crowd of ${who} (S107)`, () => {
    let server: Server
    let url: string
    let finish: (() => void) | null = null
    let begun: (() => void) | null = null

    before(async () => {
      const bounds = { ...limits, atOnce: 1, patienceSeconds: 30, resting: 0, restingEach: 0 }
      const gate = new Gate('pki', bounds)
      const logger = pino({ level: 'silent' })
      const held = <T>(result: T) =>
        new Promise<T>((resolve) => {
          finish = () => resolve(result)
          begun?.()
        })
      const validity = { thisUpdate: new Date(), nextUpdate: new Date(Date.now() + 3_600_000) }
      const app = new Koa()
      app.use(
        publication({
          ...{ gate, logger, now: () => new Date() },
          certificates: { root: Buffer.of(1), issuing: Buffer.of(2) },
          responder: { answer: () => held({ bytes: Buffer.of(3), validity }) },
          lists: { current: () => held({ number: 1, bytes: Buffer.of(4), ...validity }) },
        }),
      )
      const authority = { respond: () => held(Buffer.of(5)) }
      app.use(timestampAuthority({ gate, logger, authority }))
      server = app.listen(0, '127.0.0.1')
      await once(server, 'listening')
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    })
    after(() => void server.close())

    const post = (path: string, type: string) => () =>
      fetch(`${url}${path}`, {
        ...{ method: 'POST', body: Buffer.of(0) },
        headers: { 'Content-Type': type },
      })
    const kinds = [
      ['an OCSP request', post('/ocsp', 'application/ocsp-request')],
      ['a request for a list', () => fetch(`${url}/pki/issuing.crl`)],
      ['a request for a timestamp', post('/tsa', 'application/timestamp-query')],
    ] as const

    for (const [index, [name, ask]] of kinds.entries()) {
      it(`turn ${name} away that finds no room, and say when to come again`, async () => {
        const [, other = ask] = kinds[(index + 1) % kinds.length] ?? []
        const running = new Promise<void>((resolve) => (begun = resolve))
        const first = other()
        await running
        const refused = await ask()
        assert.equal(refused.status, status)
        assert.equal(refused.headers.get('retry-after'), '1')
        const body = Buffer.from(await refused.arrayBuffer())
        if (index === 0) assert.deepEqual(body, OCSP_TRY_LATER)
        finish?.()
        assert.equal((await first).status, 200)
      })
    }

    it('give certificates of authorities to everybody: they cost nothing', async () => {
      const running = new Promise<void>((resolve) => (begun = resolve))
      const first = fetch(`${url}/pki/root.crl`)
      await running
      assert.equal((await fetch(`${url}/pki/root.cer`)).status, 200)
      finish?.()
      await first
    })
  })
}
