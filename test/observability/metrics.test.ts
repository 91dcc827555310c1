import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { digestOf, ECDSA_SHA256, SHA256, startRssp, type Rssp } from '../support/rssp.js'
import { Metrics, textOf } from '../../src/observability/metrics.js'
import { sample } from '../support/figures.js'
import { listenForPrometheus } from '../../src/observability/metrics-listener.js'

describe('The metrics', () => {
  let rssp: Rssp
  before(async () => {
    rssp = await startRssp()
  })
  after(() => rssp.close())

  const figures = () => rssp.services.metrics.text()

  it('count what the ledger did, digest by digest, and how long its steps took', async () => {
    const user = await rssp.addUser()
    const client = await rssp.addClient()
    const credential = await rssp.addCredential(user)
    const digests = [digestOf('one'), digestOf('two')]
    const token = await rssp.credentialToken({ user, client, credential, digests })
    const request = {
      ...{ credentialID: credential.id, hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256 },
      hashes: digests.map((digest) => digest.toString('base64')),
    }
    const signed = await rssp.call('signatures/signHash', request, token)
    assert.equal(signed.status, 200)
    const again = await rssp.call('signatures/signHash', request, token)
    assert.equal(again.status, 400)
    const text = await figures()
    const ledger = (state: string) =>
      sample(text, `openrssp_ledger_digests_total{state="${state}"}`)
    assert.deepEqual(
      ['authorised', 'reserved', 'consumed', 'released', 'indeterminate'].map(ledger),
      [2, 2, 2, 0, 0],
    )
    for (const step of ['ledger.redeem', 'token.sign', 'signature.verify', 'ledger.consume']) {
      const count = sample(text, `openrssp_step_duration_seconds_count{step="${step}"}`)
      // The second request was refused before anything was redeemed.
      assert.ok(count !== null && count >= 1, `${step} ${count}`)
    }
    const route = 'route="/csc/v2/signatures/signHash"'
    const answered = (status: string) =>
      sample(
        text,
        `openrssp_http_request_duration_seconds_count{route=${route.slice(6)},status="${status}"}`,
      )
    assert.deepEqual(['2xx', '4xx'].map(answered), [1, 1])
    assert.equal(sample(text, 'openrssp_refusals_total{api="csc",kind="unusable-sad"}'), 1)
    assert.equal(sample(text, 'openrssp_audit_events_total{event="signature.created"}'), 1)
    assert.ok((sample(text, 'openrssp_database_commit_units_count') ?? 0) > 3)
    assert.ok((sample(text, 'openrssp_audit_head') ?? 0) >= 5)
  })

  it('take labels from our own lists only, whatever is sent', async () => {
    const secret = 'canary-7d1f'
    await fetch(`${rssp.baseUrl}/${secret}?${secret}=1`)
    await fetch(`${rssp.baseUrl}/csc/v2/${secret}`, { method: 'POST' })
    await fetch(`${rssp.baseUrl}/interaction/${secret}`)
    await fetch(`${rssp.baseUrl}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: secret, client_id: secret }),
    })
    await rssp.call('credentials/list', {}, secret)
    const text = await figures()
    assert.doesNotMatch(text, new RegExp(secret))
    const routes = [...text.matchAll(/route="([^"]*)"/g)].map(([, route]) => route)
    assert.ok(routes.includes('none'))
    assert.ok(routes.includes('/csc/v2/*'))
    assert.ok(routes.includes('/oauth2/token'))
    assert.equal(sample(text, 'openrssp_refusals_total{api="csc",kind="invalid-token"}'), 1)
    assert.ok(
      (sample(text, 'openrssp_refusals_total{api="oauth",kind="invalid_client"}') ?? 0) >= 1,
    )
  })

  it('are not to be had where everybody can ask, outside the sandbox', async () => {
    const answer = await fetch(`${rssp.baseUrl}/metrics`)
    assert.equal(answer.status, 404)
  })

  it('are to be had in the sandbox', async () => {
    const sandbox = await startRssp({ settings: { sandbox: true }, replicaOf: rssp })
    try {
      const answer = await fetch(`${sandbox.baseUrl}/metrics`)
      assert.equal(answer.status, 200)
      assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0.0.4/)
      assert.match(await answer.text(), /^openrssp_ready\{part="database"\} 1$/m)
    } finally {
      await sandbox.close()
    }
  })

  it('are served at an address of their own, to those with the token (S111)', async () => {
    const listener = await listenForPrometheus(
      rssp.services.metrics,
      { host: '127.0.0.1', port: 0 },
      'the token',
    )
    const get = (path: string, headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${listener.port}${path}`, { headers })
    try {
      assert.equal((await get('/metrics')).status, 401)
      assert.equal((await get('/metrics', { authorization: 'Bearer the toke' })).status, 401)
      assert.equal((await get('/health/live')).status, 404)
      const answer = await get('/metrics', { authorization: 'Bearer the token' })
      assert.equal(answer.status, 200)
      assert.match(await answer.text(), /^process_cpu_seconds_total /m)
    } finally {
      await listener.close()
    }
  })

  it('are gathered once for all who ask meanwhile: nobody who asks often makes others wait (S107)', async () => {
    let times = 0
    const figures = {
      contentType: 'text/plain',
      async text() {
        times += 1
        await turn()
        return 'figures'
      },
    }
    const listener = await listenForPrometheus(figures, { host: '127.0.0.1', port: 0 }, null)
    const socket = connect(listener.port, '127.0.0.1').setEncoding('utf8')
    try {
      let answers = ''
      socket.on('data', (text: string) => (answers += text))
      const question = 'GET /metrics HTTP/1.1\r\nHost: x\r\n'
      socket.write(`${question}\r\n`.repeat(9) + `${question}Connection: close\r\n\r\n`)
      await once(socket, 'end')
      assert.equal(answers.split('HTTP/1.1 200').length - 1, 10)
      assert.equal(times, 1)
    } finally {
      socket.destroy()
      await listener.close()
    }
  })

  it('are told also when a part cannot tell its own', async () => {
    const metrics = new Metrics()
    metrics.ledger('consumed', 3)
    metrics.watch({
      backlogs: () => Promise.reject(new Error('no database')),
      auditHead: () => {
        throw new Error('no file')
      },
      readiness: () => Promise.resolve({ hsm: true, database: false }),
    })
    const text = await metrics.text()
    assert.equal(sample(text, 'openrssp_ledger_digests_total{state="consumed"}'), 3)
    assert.equal(sample(text, 'openrssp_ready{part="database"}'), 0)
    assert.equal(sample(text, 'openrssp_ready{part="hsm"}'), 1)
    assert.doesNotMatch(text, /^openrssp_backlog\{/m)
  })

  it('of several processes are added up; of what they share the highest counts', async () => {
    const [one, two] = [new Metrics(), new Metrics()]
    one.ledger('consumed', 3)
    two.ledger('consumed', 4)
    one.watch({ auditHead: () => 7 })
    two.watch({ auditHead: () => 9 })
    const text = await textOf(await Promise.all([one.data(), two.data()]))
    assert.equal(sample(text, 'openrssp_ledger_digests_total{state="consumed"}'), 7)
    assert.equal(sample(text, 'openrssp_audit_head'), 9)
  })
})
