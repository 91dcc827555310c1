import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { isStatement, timestampTime } from '../../src/certificates/statement.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { timestampAttributes, tstInfo } from '../support/statements.js'

describe('The attributes of a timestamp', () => {
  const first = tstInfo(new Date('2026-01-01T00:00:00Z'))
  const second = tstInfo(new Date('2026-01-01T00:00:01Z'))
  const isAbout = (info: Buffer, toBeSigned: Buffer) =>
    isStatement({
      ...{ kind: 'timestamp', keyId: 'tsa', toBeSigned, tstInfo: info },
      algorithm: { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 },
    })

  it('are about their TSTInfo alone, also when such were seen before', () => {
    assert.ok(isAbout(first, timestampAttributes(first)))
    assert.ok(isAbout(second, timestampAttributes(second)))
    assert.ok(!isAbout(second, timestampAttributes(first)))
    assert.ok(!isAbout(first, timestampAttributes(second)))
  })

  it('are not good because others are that differ in anything but the digest', () => {
    assert.ok(isAbout(first, timestampAttributes(first)))
    const good = timestampAttributes(second)
    const digest = createHash('sha256').update(second).digest()
    const at = good.indexOf(digest)
    for (let index = 0; index < good.length; index += 1) {
      if (index >= at && index < at + digest.length) continue
      const changed = Buffer.from(good)
      changed.writeUInt8(changed.readUInt8(index) ^ 1, index)
      const isNamed = index >= good.length - 3 // an empty value of signing-certificate-v2
      assert.ok(!isAbout(second, changed) || isNamed, `octet ${index}`)
    }
  })

  it('are refused when the digest of the TSTInfo stands elsewhere in them', () => {
    const own = createHash('sha256').update(first).digest()
    const other = createHash('sha256').update(second).digest()
    const carrier = Buffer.concat([timestampAttributes(first, { digest: other }), own])
    assert.ok(!isAbout(first, carrier))
    assert.ok(!isAbout(first, timestampAttributes(first, { digest: other })))
  })

  it('have the time of the TSTInfo, and none of what is no TSTInfo', () => {
    assert.deepEqual(timestampTime(first), new Date('2026-01-01T00:00:00Z'))
    for (const wrong of [Buffer.alloc(0), first.subarray(1), timestampAttributes(first)]) {
      assert.equal(timestampTime(wrong), null)
    }
  })
})
