import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { subjectPublicKeyInfo } from '../../src/keys/subject-public-key-info.js'

const SPKI = { type: 'spki', format: 'der' } as const
const P256 = Buffer.from('06082a8648ce3d030107', 'hex')

describe('Public keys as tokens state them', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export(SPKI)
  const point = spki.subarray(-65)

  it('may have the EC point bare or wrapped in an OCTET STRING', () => {
    const wrapped = Buffer.concat([Buffer.from('0441', 'hex'), point])
    for (const each of [point, wrapped]) {
      assert.deepEqual(subjectPublicKeyInfo({ type: 'ec', parameters: P256, point: each }), spki)
    }
  })

  it('may have a wrapped P-521 point, whose length takes two bytes', () => {
    const key = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export(SPKI)
    const bare = key.subarray(-133)
    const parameters = Buffer.from('06052b81040023', 'hex')
    for (const each of [bare, Buffer.concat([Buffer.from('048185', 'hex'), bare])]) {
      assert.deepEqual(subjectPublicKeyInfo({ type: 'ec', parameters, point: each }), key)
    }
  })

  it('are refused with a point off the curve, cut, compressed or wrapped twice', () => {
    const off = Buffer.from(point)
    off[64]! ^= 1
    const compressed = Buffer.concat([Buffer.of(2 + (point[64]! & 1)), point.subarray(1, 33)])
    const twice = Buffer.concat([Buffer.from('04430441', 'hex'), point])
    for (const bad of [off, point.subarray(0, 64), compressed, twice, Buffer.alloc(0)]) {
      assert.throws(() => subjectPublicKeyInfo({ type: 'ec', parameters: P256, point: bad }))
    }
  })

  it('are refused on curves that are none of ours, or not named', () => {
    const others = ['06052b8104000a', '3000', '', '0500', '06082a8648ce3d0301']
    for (const hex of others) {
      const parameters = Buffer.from(hex, 'hex')
      assert.throws(() => subjectPublicKeyInfo({ type: 'ec', parameters, point }))
    }
  })

  it('may have zeros before the RSA modulus', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
    const { n = '', e = '' } = rsa.export({ format: 'jwk' })
    const modulus = Buffer.concat([Buffer.of(0), Buffer.from(n, 'base64url')])
    const exponent = Buffer.from(e, 'base64url')
    const made = subjectPublicKeyInfo({ type: 'rsa', modulus, exponent })
    assert.deepEqual(made, rsa.export(SPKI))
  })
})
