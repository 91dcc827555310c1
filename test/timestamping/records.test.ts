import assert from 'node:assert/strict'
import { createHash, sign } from 'node:crypto'
import * as asn1js from 'asn1js'
import { AlgorithmIdentifier, MessageImprint, TimeStampReq, TimeStampResp, TSTInfo } from 'pkijs'
import type { AuditEvent } from '../../src/audit/events.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { Metrics } from '../../src/observability/metrics.js'
import { TimestampAuthority } from '../../src/timestamping/authority.js'
import { WatchedClock } from '../../src/timestamping/clock.js'
import { AuditedTimestamps } from '../../src/timestamping/records.js'
import { EKU, makeUp } from '../support/made-up-pki.js'
import { TestClock } from '../support/rssp.js'

const root = makeUp({ name: 'Root', authority: true })
const unit = makeUp({ name: 'Unit', issuer: root, eku: [EKU.timeStamping] })
const SHA1 = '1.3.14.3.2.26'

describe('What is on record of timestamps', () => {
  let clock: TestClock
  let written: AuditEvent[]
  let isAway: boolean
  let metrics: Metrics

  beforeEach(() => {
    clock = new TestClock()
    written = []
    isAway = false
    metrics = new Metrics()
  })

  function open(each: boolean) {
    const append = (event: AuditEvent) => {
      if (isAway) return Promise.reject(new Error('no database'))
      written.push(event)
      return Promise.resolve()
    }
    const { now } = clock
    const records = new AuditedTimestamps({ each, append, now })
    const elapsed = () => now().getTime()
    const signer = {
      ...{ certificate: unit.certificate, chain: [root.certificate] },
      algorithm: { scheme: 'ecdsa' as const, hash: HASH_ALGORITHMS.sha256 },
      sign: (attributes: Buffer) => Promise.resolve(sign('sha256', attributes, unit.key)),
    }
    const authority = new TimestampAuthority({
      ...{ signer: () => Promise.resolve(signer), records, observer: metrics },
      ...{ policies: ['1.3.6.1.4.1.32473.1.1'], accuracyMilliseconds: 1000 },
      clock: new WatchedClock({ now, elapsed, accuracyMilliseconds: 1000, references: [] }),
    })
    return { authority, records }
  }

  const ignore = () => undefined
  const figures = async () => {
    const text = await metrics.text()
    const lines = text.matchAll(/^openrssp_timestamp_duration_seconds_count\{(.*)\} (\d+)$/gm)
    return Object.fromEntries([...lines].map(([, labels, count]) => [labels, Number(count)]))
  }

  it('is how many were given and refused, and why, written together', async () => {
    const { authority, records } = open(false)
    for (let count = 0; count < 3; count += 1) await authority.respond(request(), ignore)
    await authority.respond(request({ oid: SHA1 }), ignore)
    await authority.respond(request({ policy: '1.2.3' }), ignore)
    await authority.respond(Buffer.from('nothing'), ignore)
    assert.equal(written.length, 0)
    clock.advance(60)
    await records.flush()
    const [counted] = written
    assert.equal(counted?.event, 'timestamps.counted')
    const { from, to, ...counts } = counted.detail
    assert.ok(Date.parse(to) - Date.parse(from) >= 60_000)
    const refused = { badAlg: 1, unacceptedPolicy: 1, badDataFormat: 1 }
    assert.deepEqual(counts, { given: 3, refused })
    await records.flush()
    assert.equal(written.length, 1)
  })

  it('goes with the next when it cannot be written', async () => {
    const { authority, records } = open(false)
    await authority.respond(request(), ignore)
    isAway = true
    await assert.rejects(records.flush(), /no database/)
    await authority.respond(request({ oid: SHA1 }), ignore)
    isAway = false
    await authority.respond(request(), ignore)
    await records.flush()
    const [counted] = written
    assert.equal(counted?.event, 'timestamps.counted')
    const { given, refused } = counted.detail
    assert.deepEqual({ given, refused }, { given: 2, refused: { badAlg: 1 } })
  })

  it('is each of them, where that is configured: what was said of what, and when', async () => {
    const { authority } = open(true)
    const response = await authority.respond(request(), ignore)
    const [given] = written
    assert.equal(given?.event, 'timestamp.given')
    const tstInfo = Buffer.from(given.detail.tstInfo, 'base64')
    assert.ok(response.includes(tstInfo))
    const { messageImprint } = TSTInfo.fromBER(tstInfo)
    const digest = createHash('sha256').update('a document').digest()
    assert.deepEqual(Buffer.from(messageImprint.hashedMessage.getValue()), digest)
  })

  it('is there before the token leaves: what cannot be recorded is not given', async () => {
    const { authority } = open(true)
    isAway = true
    const failures: unknown[] = []
    const response = await authority.respond(request(), (error) => void failures.push(error))
    const { status, timeStampToken } = new TimeStampResp({
      schema: asn1js.fromBER(response).result,
    })
    assert.equal(timeStampToken, undefined)
    assert.equal(Number(status.status), 2)
    assert.equal(failures.length, 1)
    await assert.rejects(
      authority.timestamp(Buffer.alloc(32), HASH_ALGORITHMS.sha256),
      /gives no timestamp/,
    )
  })

  it('stands in the metrics as well, with the time it took', async () => {
    const { authority } = open(false)
    await authority.respond(request(), ignore)
    await authority.timestamp(Buffer.alloc(32), HASH_ALGORITHMS.sha256)
    await authority.respond(request({ oid: SHA1 }), ignore)
    assert.deepEqual(await figures(), {
      'source="own",outcome="granted"': 2,
      'source="own",outcome="badAlg"': 1,
      // What alert rules wait for is there from the beginning.
      'source="own",outcome="systemFailure"': 0,
      'source="own",outcome="timeNotAvailable"': 0,
      'source="external",outcome="failed"': 0,
    })
  })
})

function request({ oid = HASH_ALGORITHMS.sha256.oid, policy = '' } = {}): Buffer {
  const hashedMessage = createHash(oid === SHA1 ? 'sha1' : 'sha256')
    .update('a document')
    .digest()
  const query = new TimeStampReq({
    version: 1,
    messageImprint: new MessageImprint({
      hashAlgorithm: new AlgorithmIdentifier({ algorithmId: oid }),
      hashedMessage: new asn1js.OctetString({ valueHex: hashedMessage }),
    }),
    ...(policy === '' ? {} : { reqPolicy: policy }),
  })
  return Buffer.from(query.toSchema().toBER())
}
