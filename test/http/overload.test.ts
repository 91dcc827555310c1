import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import type { KeyCustody } from '../../src/keys/key-custody.js'
import type { Credential } from '../../src/credentials/credential.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  postForm,
  SHA256,
  startRssp,
  type Answer,
  type Rssp,
} from '../support/rssp.js'
import { sample } from '../support/figures.js'

const TOO_MANY = 'Too many requests wait already; try again later.'
const OVERLOADED =
  'The authorization server is currently unable to handle the request due to a temporary overloading or maintenance of the server.'

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
  ) =>
    rssp.call(
      'signatures/signHash',
      {
        ...{ credentialID: credential.id, hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256 },
        hashes: [digest?.toString('base64')],
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
      const page = await fetch(`${rssp.baseUrl}/account`, { headers: { accept: 'text/html' } })
      assert.equal(page.status, 429)
      assert.match(page.headers.get('content-type') ?? '', /html/)
      assert.equal(page.headers.get('retry-after'), '1')
      assert.equal((await fetch(`${rssp.baseUrl}/health/ready`)).status, 200)
    })

    it('take up only so much memory', async () => {
      begin(50_000)
      await until(() => load().requests === 1)
      assert.notEqual((await manifold({ grant_type: 'refresh_token' })).status, 429)
      const another = await postForm(`${rssp.baseUrl}/oauth2/token`, 'x'.repeat(20_000))
      assert.equal(another.status, 429)
      assert.notEqual((await manifold({ grant_type: 'refresh_token' })).status, 429)
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
