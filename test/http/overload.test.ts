import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import Koa from 'koa'
import { Entrance } from '../../src/http/overload.js'
import type { KeyCustody } from '../../src/keys/key-custody.js'
import type { Credential } from '../../src/credentials/credential.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  postForm,
  readAnswer,
  SHA256,
  startRssp,
  type Answer,
  type Rssp,
} from '../support/rssp.js'
import { sample } from '../support/figures.js'

const TOO_MANY = 'Too many requests wait already; try again later.'
const OVERLOADED =
  'The authorization server is currently unable to handle the request due to a temporary overloading or maintenance of the server.'

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
/** As what comes with Java asks by itself. */
const JAVA = 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2'

const OVERLOAD = {
  ...{ workAtOnce: 4, waiting: 24, waitingPerClient: 20, waitSeconds: 60 },
  ...{ requestsAtOnce: 70, requestsPerAddress: 60, bodyBytesAtOnce: 120_000 },
  ...{ pagesAtOnce: 100, pagesPerAddress: 100, passwordsWaiting: 4 },
}

describe('Under overload', () => {
  let rssp: Rssp
  /** Calls of the token that do not return until they are let go, oldest first. */
  let held: (() => void)[] | null = null
  /** Names of keys in the order in which the token was asked for them. */
  let asked: string[] = []

  before(async () => {
    rssp = await startRssp({
      settings: { overload: OVERLOAD },
      custody: (real): KeyCustody => ({
        generate: (...call) => real.generate(...call),
        async sign(...call) {
          asked.push(call[0])
          const waiting = held
          if (waiting) await new Promise<void>((resolve) => waiting.push(resolve))
          return real.sign(...call)
        },
        publicKey: (keyId) => real.publicKey(keyId),
        destroy: (keyId) => real.destroy(keyId),
        ready: () => real.ready(),
        close: () => real.close(),
      }),
    })
  })
  after(() => rssp.close())
  afterEach(() => letGo(Infinity))

  function letGo(most: number): void {
    for (const go of held?.splice(0, most) ?? []) go()
    if (most === Infinity) held = null
  }

  /** Somebody with an application of their own, who agreed to so many signatures. */
  async function signer(count: number) {
    const [user, client] = [await rssp.addUser(), await rssp.addClient()]
    const credential = await rssp.addCredential(user, { multisign: count })
    const digests = Array.from({ length: count }, (_, index) => digestOf(`${user.id} ${index}`))
    const token = await rssp.credentialToken({ user, client, credential, digests })
    return { credential, digests, token }
  }
  type Signer = Awaited<ReturnType<typeof signer>>

  const sign = (
    { credential, token }: { credential: Credential; token: string },
    digest?: Buffer,
    more: { readonly operationMode?: 'A' } = {},
  ) =>
    rssp.call(
      'signatures/signHash',
      {
        ...{ credentialID: credential.id, hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256 },
        ...{ hashes: [digest?.toString('base64')], ...more },
      },
      token,
    )
  const signAll = (who: Signer) => who.digests.map((digest) => sign(who, digest))

  const load = () => ({ ...gateLoad(), held: held?.length ?? 0 })
  const gateLoad = () => {
    const loads = rssp.services.gates()
    const work = loads.find(({ gate }) => gate === 'work')
    const entrance = loads.find(({ gate }) => gate === 'entrance')
    return { running: work?.running, waiting: work?.waiting, requests: entrance?.running }
  }
  async function until(condition: () => boolean): Promise<void> {
    const end = Date.now() + 200_000
    while (!condition()) {
      if (Date.now() > end) assert.fail(JSON.stringify(load()))
      await turn()
    }
  }

  it('one application’s flood does not keep another waiting, and uses up nothing (S68, S107)', async () => {
    const [greedy, modest] = [await signer(30), await signer(1)]
    held = []
    asked = []
    const flood = signAll(greedy)
    await until(() => load().held === 4 && load().waiting === 20 && load().requests === 24)
    const one = sign(modest, modest.digests[0])
    await until(() => load().waiting === 21)
    let answered = false
    const all = Promise.all(flood).finally(() => (answered = true))
    await until(() => {
      letGo(1)
      return answered
    })
    assert.equal((await one).status, 200)
    // After those that ran when it came; those that were begun with it may overtake it on their way.
    const before = asked.indexOf(modest.credential.keyId)
    assert.ok(before <= 7, `${before} of ${asked.length}`)

    const answers = await all
    const refused = answers.filter(({ status }) => status !== 200)
    assert.equal(refused.length, 6)
    for (const answer of refused) {
      assertRefusal(answer, 429, 'too_many_requests', TOO_MANY)
      assert.equal(answer.headers.get('retry-after'), '1')
    }
    letGo(Infinity)
    // What was turned away was not begun: the same request is as good as before.
    const again = await Promise.all(
      greedy.digests
        .filter((_, index) => answers[index]?.status !== 200)
        .map((digest) => sign(greedy, digest)),
    )
    assert.deepEqual(
      again.map(({ status }) => status),
      [200, 200, 200, 200, 200, 200],
    )
    const created = (await rssp.auditEvents()).filter(({ event }) => event === 'signature.created')
    assert.equal(created.length, 31)
  })

  it('what is signed with nobody waiting takes its turn, too (S68, S107)', async () => {
    const [greedy, modest] = [await signer(30), await signer(1)]
    held = []
    asked = []
    const flood = greedy.digests.map((digest) => sign(greedy, digest, { operationMode: 'A' }))
    await until(() => load().held === 4 && load().waiting === 20)
    const one = sign(modest, modest.digests[0])
    await until(() => load().waiting === 21)
    let answered = false
    const all = Promise.all(flood).finally(() => (answered = true))
    await until(() => {
      letGo(1)
      return answered
    })
    assert.equal((await one).status, 200)
    const before = asked.indexOf(modest.credential.keyId)
    assert.ok(before <= 7, `${before} of ${asked.length}`)
    const count = async (wanted: number) =>
      (await all).filter(({ status }) => status === wanted).length
    assert.deepEqual([await count(200), await count(429)], [24, 6])
    letGo(Infinity)
    await until(() => load().running === 0)
  })

  it('too many who wait get 503 with Retry-After, in the words of the API (S107)', async () => {
    const [first, second] = [await signer(24), await signer(5)]
    held = []
    const many = signAll(first)
    await until(() => load().held === 4 && load().waiting === 20)
    const more = signAll(second)
    const outcomes: Answer[] = []
    for (const each of more) void each.then((answer) => outcomes.push(answer))
    await until(() => outcomes.length === 1)
    const [refused] = outcomes
    assert.ok(refused)
    assertRefusal(refused, 503, 'temporarily_unavailable', OVERLOADED)
    assert.equal(refused.headers.get('retry-after'), '1')
    while (outcomes.length < 5) {
      letGo(1)
      await turn()
    }
    letGo(Infinity)
    await Promise.all(many)
    assert.equal(outcomes.filter(({ status }) => status === 200).length, 4)
    const text = await rssp.services.metrics.text()
    assert.equal(sample(text, 'openrssp_turned_away_total{gate="work",reason="too many"}'), 1)
  })

  it('a call for many signatures takes as much room as they do', async () => {
    const [batch, single] = [await signer(6), await signer(1)]
    held = []
    const large = rssp.call(
      'signatures/signHash',
      {
        ...{ credentialID: batch.credential.id, hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256 },
        hashes: batch.digests.map((digest) => digest.toString('base64')),
      },
      batch.token,
    )
    await until(() => load().held === 1)
    const small = sign(single, single.digests[0])
    await until(() => load().waiting === 1)
    letGo(Infinity)
    assert.deepEqual([(await large).status, (await small).status], [200, 200])
  })

  describe('requests that never end', () => {
    const sockets: Socket[] = []
    afterEach(async () => {
      for (const socket of sockets.splice(0)) socket.destroy()
      await until(() => load().requests === 0)
    })

    /** Sends the beginning of a request and nothing more. */
    function begin(length: number): Socket {
      const socket = connect(Number(new URL(rssp.baseUrl).port), '127.0.0.1')
      socket.on('error', () => undefined)
      socket.write(
        `POST /oauth2/token HTTP/1.1\r\nHost: ${new URL(rssp.baseUrl).host}\r\n` +
          `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${length}\r\n\r\nx`,
      )
      sockets.push(socket)
      return socket
    }
    const manifold = (form = {}) => postForm(`${rssp.baseUrl}/oauth2/token`, form)

    it('take up only so much of what one address gets: people get a page, health is told', async () => {
      for (let count = 0; count < 60; count += 1) begin(1000)
      await until(() => load().requests === 60)
      const token = await manifold({ grant_type: 'refresh_token' })
      assertRefusal(token, 429, 'too_many_requests', TOO_MANY)
      assert.equal(token.headers.get('retry-after'), '1')
      const list = await rssp.call('credentials/list', {}, 'x')
      assertRefusal(list, 429, 'too_many_requests', TOO_MANY)
      for (const path of ['/account', '/oauth2/authorize', '/csc/v1/oauth2/authorize']) {
        const page = await fetch(rssp.baseUrl + path, { headers: { accept: BROWSER } })
        assert.equal(page.status, 429)
        assert.match(page.headers.get('content-type') ?? '', /html/, path)
        assert.equal(page.headers.get('retry-after'), '1')
      }
      assert.equal((await fetch(`${rssp.baseUrl}/health/ready`)).status, 200)
    })

    it('have programs told so as programs, whatever they accept (S68)', async () => {
      for (let count = 0; count < 60; count += 1) begin(1000)
      await until(() => load().requests === 60)
      const paths = ['/verification', '/tsa', '/oauth2/jwks', '/.well-known/openid-configuration']
      for (const path of paths) await assertToldAsProgram(await fetch(rssp.baseUrl + path))
      const headers = { accept: JAVA, 'content-type': 'application/json' }
      const verification = { method: 'POST', headers, body: '{}' }
      await assertToldAsProgram(await fetch(`${rssp.baseUrl}/verification`, verification))
      const info = await fetch(`${rssp.baseUrl}/csc/v2/info`, { headers: { accept: JAVA } })
      await assertToldAsProgram(info)
    })

    async function assertToldAsProgram(response: Response): Promise<void> {
      const answer = await readAnswer(response)
      assertRefusal(answer, 429, 'too_many_requests', TOO_MANY)
      assert.equal(answer.headers.get('retry-after'), '1')
    }

    it('take up only so much memory', async () => {
      begin(50_000)
      await until(() => load().requests === 1)
      assert.notEqual((await manifold({ grant_type: 'refresh_token' })).status, 429)
      const another = await postForm(`${rssp.baseUrl}/oauth2/token`, 'x'.repeat(20_000))
      assert.equal(another.status, 429)
      assert.notEqual((await manifold({ grant_type: 'refresh_token' })).status, 429)
    })
  })

  describe('large answers that nobody reads', () => {
    const ANSWER = 8 * 1024 * 1024
    const limits = {
      ...{ requestsAtOnce: 100, requestsPerAddress: 100, bodyBytesAtOnce: 5 * ANSWER },
      ...{ bodyBytes: 1000, documentBytes: 1000 },
      ...{ documentPaths: new Set<string>(), pollPaths: new Set(['/poll']) },
    }
    let server: Server
    let unread: Socket[]

    beforeEach(async () => {
      unread = []
      const observer = { turnedAway: () => undefined, waitedAt: () => undefined }
      const entrance = new Entrance(limits, observer)
      const app = new Koa()
      app.use(async (ctx, next) => {
        await next().catch((error: Error) => {
          ctx.status = 429
          ctx.body = error.name
        })
      })
      app.use(entrance.middleware())
      app.use((ctx) => void (ctx.body = Buffer.alloc(ANSWER)))
      server = app.listen(0, '127.0.0.1')
      await once(server, 'listening')
    })
    afterEach(() => {
      for (const socket of unread) socket.destroy()
      server.close()
      server.closeAllConnections()
    })

    const port = () => (server.address() as AddressInfo).port
    const read = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${port()}${path}`, { method: 'POST' })
      await answer.arrayBuffer()
      return answer.status
    }
    /** Resolves with the beginning of an answer, of which nothing more is read. */
    async function leaveUnread(path: string): Promise<string> {
      const socket = connect(port(), '127.0.0.1')
      unread.push(socket)
      socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
      const [beginning] = (await once(socket, 'data')) as [Buffer]
      socket.pause()
      return beginning.toString('latin1', 0, 12)
    }

    it('take up room until they are read; more are not given to who may ask again (S68, S110)', async () => {
      for (let count = 0; count < 2; count += 1) {
        assert.equal(await leaveUnread('/poll'), 'HTTP/1.1 200')
      }
      assert.equal(await read('/poll'), 429)
      // Another answer may be the only one.
      assert.equal(await read('/signed-just-now'), 200)
      const [first] = unread
      first?.resume()
      let got = 0
      first?.on('data', (part: Buffer) => (got += part.length))
      while (got < ANSWER - 65_536) await turn()
      let status = 0
      while (status !== 200) status = await read('/poll')
    })

    it('are given one at a time at least, however large', async () => {
      limits.bodyBytesAtOnce = ANSWER
      try {
        assert.equal(await read('/poll'), 200)
        assert.equal(await leaveUnread('/poll'), 'HTTP/1.1 200')
        assert.equal(await read('/poll'), 429)
      } finally {
        limits.bodyBytesAtOnce = 5 * ANSWER
      }
    })
  })

  it('passwords wait for only so long a queue; who is turned away hears of it', async () => {
    const { accounts } = rssp.services
    const atOnce = async (address: string) => {
      const attempt = { password: 'x', address, clientId: 'x' }
      const attempts = Array.from({ length: 12 }, () =>
        accounts.checkPassword({ ...attempt, username: `nobody ${Math.random()}` }).then(
          ({ outcome }) => outcome,
          (error: Error) => error.name,
        ),
      )
      const outcomes = await Promise.all(attempts)
      const count = (name: string) => outcomes.filter((outcome) => outcome === name).length
      return [count('wrong-credentials'), count('TooManyRequestsError')]
    }
    // Two run; of four that may wait, one address gets one. On a busy machine some may come too late.
    let counts = await atOnce('192.0.2.1')
    for (let other = 2; other < 7 && counts[0] !== 3; other += 1) {
      counts = await atOnce(`192.0.2.${other}`)
    }
    assert.deepEqual(counts, [3, 9])
  })
})
