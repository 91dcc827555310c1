import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tracedFetch } from '../../src/identity/limited-fetch.js'
import { createLogger } from '../../src/observability/logger.js'
import { openTracing } from '../../src/observability/opentelemetry.js'
import { NO_TRACING } from '../../src/observability/tracing.js'
import { Collector } from '../support/collector.js'
import { newTestToken, openCustody } from '../support/softhsm.js'
import { digestOf, ECDSA_SHA256, SHA256, startRssp, type Rssp } from '../support/rssp.js'

describe('Traces', () => {
  const collector = new Collector()
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const parentId = '00f067aa0ba902b7'
  const traceparent = `00-${traceId}-${parentId}-01`
  let rssp: Rssp
  let facts: Record<string, string>
  let refusedId: string | null

  before(async () => {
    // As where the service opens the token itself.
    const custody = await openCustody(newTestToken(), {
      ended: (what, seconds) => (rssp as Rssp | undefined)?.services.tracing.ended(what, seconds),
    })
    rssp = await startRssp({
      settings: { tracing: { endpoint: await collector.listen() } },
      custody: () => custody,
    })
    const [user, client] = [await rssp.addUser(), await rssp.addClient()]
    const credential = await rssp.addCredential(user)
    const digest = digestOf('contract')
    const token = await rssp.credentialToken({ user, client, credential, digests: [digest] })
    const request = {
      ...{ credentialID: credential.id, hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256 },
      hashes: [digest.toString('base64')],
    }
    const signed = await rssp.call('signatures/signHash', request, token, { traceparent })
    assert.equal(signed.status, 200)
    const refused = await rssp.call('signatures/signHash', request, token, { traceparent })
    assert.equal(refused.status, 400)
    refusedId = refused.headers.get('x-request-id')
    facts = {
      ...{ token, username: user.username, userId: user.id, password: user.password },
      ...{ credentialId: credential.id, digest: digest.toString('base64') },
      ...{ hex: digest.toString('hex'), clientId: client.client_id, otp: user.totpSecret },
      signature: signed.body.signatures[0],
    }
    await rssp.close()
  })
  after(() => collector.close())

  const named = (name: string) =>
    collector.spans.find((span) => span.name === name && span.traceId === traceId)

  it('reach the collector, below the span the caller named (W3C Trace Context)', () => {
    const request = named('POST /csc/v2/signatures/signHash')
    assert.equal(request?.parentSpanId, parentId)
    const attributes = Object.fromEntries(
      request.attributes.map(({ key, value }) => [key, Object.values(value)[0]]),
    )
    assert.equal(attributes['http.route'], '/csc/v2/signatures/signHash')
    assert.ok([200, 400].includes(Number(attributes['http.response.status_code'])))
  })

  it('show the steps of a signature, one within another', () => {
    const requests = collector.spans
      .filter(({ name }) => name === 'POST /csc/v2/signatures/signHash')
      .map(({ spanId }) => spanId)
    for (const name of ['ledger.redeem', 'token.sign', 'signature.verify', 'ledger.consume']) {
      const span = named(name)
      assert.ok(span, name)
      assert.ok(requests.includes(span.parentSpanId ?? ''), name)
    }
    const parents = collector.spans
      .filter(({ name, traceId: id }) => name === 'database.commit' && id === traceId)
      .map(({ parentSpanId }) => parentSpanId)
    for (const name of ['hsm.wait', 'C_Sign']) {
      assert.equal(named(name)?.parentSpanId, named('token.sign')?.spanId, name)
    }
    assert.ok(parents.includes(named('ledger.redeem')?.spanId))
    assert.ok(parents.includes(named('ledger.consume')?.spanId))
  })

  it('say nothing of people, applications, documents or secrets (S81)', () => {
    const sent = collector.bodies.join('\n')
    for (const [name, value] of Object.entries(facts)) {
      assert.ok(value.length > 5)
      assert.ok(!sent.includes(value), name)
    }
  })

  it('go on in what we ask of others', async () => {
    const heard: (string | undefined)[] = []
    const other = createServer((request, response) => {
      heard.push(request.headers.traceparent as string | undefined)
      response.end()
    })
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`
    const tracing = openTracing({ endpoint: url, sample: 0 })
    const ask = () => tracedFetch(tracing)(url, { headers: { connection: 'close' } })
    await tracing.request({ traceparent }, () => ({}), ask)
    await tracedFetch(NO_TRACING)(url, { headers: { connection: 'close' } })
    await tracing.close()
    other.close()
    assert.match(heard[0] ?? '', new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
    assert.equal(heard[1], undefined)
  })

  it('are named by log lines', async () => {
    const lines: string[] = []
    const tracing = openTracing({ endpoint: 'http://127.0.0.1:9/', sample: 0 })
    const logger = createLogger('info', tracing, { write: (line) => void lines.push(line) })
    await tracing.request(
      { traceparent },
      () => ({}),
      () => {
        logger.info({ password: 'x', err: { config: 'x' } }, 'within')
        return Promise.resolve()
      },
    )
    logger.info('outside')
    const [within, outside] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.equal(within?.['traceId'], traceId)
    assert.equal(within['password'], '[Redacted]')
    assert.deepEqual(within['err'], { config: '[Redacted]' })
    assert.equal(outside?.['traceId'], undefined)
  })

  it('give refusals the name by which they are found again', () => {
    assert.equal(refusedId, traceId)
  })
})

describe('Traces, where keys live in a process of their own', () => {
  const collector = new Collector()
  const traceparent = '00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

  before(async () => {
    const rssp = await startRssp({
      token: newTestToken(),
      settings: {
        tracing: { endpoint: await collector.listen() },
        log: { level: 'silent' },
      },
    })
    assert.ok(rssp.services.keys.process)
    const [user, client] = [await rssp.addUser(), await rssp.addClient()]
    const credential = await rssp.addCredential(user)
    const digest = digestOf('contract')
    const token = await rssp.credentialToken({ user, client, credential, digests: [digest] })
    const request = {
      ...{ credentialID: credential.id, hashAlgorithmOID: SHA256, signAlgo: ECDSA_SHA256 },
      hashes: [digest.toString('base64')],
    }
    const signed = await rssp.call('signatures/signHash', request, token, { traceparent })
    assert.equal(signed.status, 200)
    await rssp.close()
  })
  after(() => collector.close())

  const within = (name: string) => {
    const parent = collector.spans.find((span) => span.name === name)
    assert.ok(parent, name)
    return collector.spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId)
  }

  it('lead from the request to C_Sign: what the key process did stands within token.sign', () => {
    const steps = within('POST /csc/v2/signatures/signHash').map(({ name }) => name)
    assert.deepEqual(
      ['ledger.redeem', 'token.sign', 'ledger.consume'].filter((name) => !steps.includes(name)),
      [],
    )
    const inside = within('token.sign')
    const names = inside.map(({ name }) => name).sort()
    assert.deepEqual(names, ['C_Sign', 'ledger.check', 'signature.verify'])
    assert.deepEqual(
      new Set(inside.map(({ traceId }) => traceId)),
      new Set([traceparent.slice(3, 35)]),
    )
  })
})
