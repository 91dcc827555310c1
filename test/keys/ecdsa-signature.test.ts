import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { verifyDigest } from '../../src/keys/digest-verifier.js'
import { ecdsaSignatureFromRaw } from '../../src/keys/ecdsa-signature.js'

/** Numbers given by their last octets, in a signature of P-256. */
const encode = (r: string, s: string) =>
  ecdsaSignatureFromRaw(Buffer.from(r.padStart(64, '0') + s.padStart(64, '0'), 'hex'), 32)
const whole = (first: string) => first.padEnd(64, '0')

describe('ECDSA signatures of tokens (S99)', () => {
  it('lose leading zeros and gain one where the number would look negative', () => {
    assert.equal(encode('01', '7f').toString('hex'), '300602010102017f')
    assert.equal(encode('80', 'ff0000').toString('hex'), '300a02020080020400ff0000')
    assert.equal(
      encode(whole('80'), whole('ff')).toString('hex'),
      `3046022100${whole('80')}022100${whole('ff')}`,
    )
  })

  it('are refused with a zero, an odd or another length', () => {
    assert.throws(() => encode('00', '01'), /zero/)
    assert.throws(() => encode('01', '00'), /zero/)
    assert.throws(() => ecdsaSignatureFromRaw(Buffer.alloc(63, 1), 31.5), /length/)
    assert.throws(() => ecdsaSignatureFromRaw(Buffer.alloc(63, 1), 32), /length/)
    assert.throws(() => ecdsaSignatureFromRaw(Buffer.alloc(8, 1), 4), /length/)
    assert.throws(() => ecdsaSignatureFromRaw(Buffer.alloc(0), 0))
  })

  it('verify after the change of form, for each of 1,000 on P-521 and P-256', async () => {
    for (const [curve, bytes] of [
      ['P-256', 32],
      ['P-521', 66],
    ] as const) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve })
      const spki = publicKey.export({ type: 'spki', format: 'der' })
      const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
      for (let index = 0; index < 1_000; index += 1) {
        const message = Buffer.from(`${curve} ${index}`)
        const raw = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
        const der = ecdsaSignatureFromRaw(raw, bytes)
        const digest = createHash('sha256').update(message).digest()
        assert.ok(await verifyDigest(spki, digest, der, algorithm))
      }
    }
  })
})
