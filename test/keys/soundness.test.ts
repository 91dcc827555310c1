import assert from 'node:assert/strict'
import { createHash, createPublicKey } from 'node:crypto'
import { HASH_ALGORITHMS, type KeyAlgorithm } from '../../src/keys/algorithms.js'
import type { KeyCustody } from '../../src/keys/key-custody.js'
import { newKeyId } from '../../src/keys/key-id.js'
import { openTestCustody } from '../support/softhsm.js'

/** Primes by which keys of broken smart cards are told (CVE-2017-15361): residues of 65537 alone. */
const TELLING = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157]

describe('Keys and signatures of a token (S98)', () => {
  let custody: KeyCustody
  const made: string[] = []

  before(async () => {
    custody = await openTestCustody()
  })
  after(async () => {
    for (const keyId of made) await custody.destroy(keyId)
  })

  async function generate(algorithm: KeyAlgorithm) {
    const key = await custody.generate(algorithm, newKeyId('resident'))
    made.push(key.keyId)
    return key
  }

  it('never have the same nonce: r repeats in no two of 1,000 signatures, and is spread evenly', async () => {
    const { keyId } = await generate('p-256')
    const digests = Array.from({ length: 1000 }, (_, index) =>
      createHash('sha256').update(`document ${index}`).digest(),
    )
    const signatures: Buffer[] = []
    for (let at = 0; at < digests.length; at += 100) {
      const some = digests.slice(at, at + 100)
      const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
      signatures.push(...(await custody.sign(keyId, some, algorithm)))
    }
    const values = signatures.map(rOf)
    assert.equal(new Set(values).size, digests.length)
    // Each of its first bits is set in half of them, give or take seven times what chance does.
    for (let bit = 248n; bit < 256n; bit += 1n) {
      const set = values.filter((r) => (r >> bit) & 1n).length
      assert.ok(set > 390 && set < 610, `bit ${bit} is set in ${set} of 1,000`)
    }
  })

  it('are no two alike', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => generate('p-256')))
    assert.equal(new Set(keys.map(({ publicKey }) => publicKey.toString('hex'))).size, keys.length)
  })

  it('have RSA moduli with no prime in common, none that is guessed, and no known pattern', async () => {
    const keys = await Promise.all([1, 2, 3].map(() => generate('rsa-2048')))
    const moduli = keys.map(({ publicKey }) => modulusOf(publicKey))
    moduli.forEach((modulus, index) => {
      for (const other of moduli.slice(index + 1)) assert.equal(gcd(modulus, other), 1n)
      assert.ok(!hasClosePrimes(modulus), 'its primes are close to each other')
      assert.ok(!TELLING.every((prime) => isPowerOf65537(modulus, prime)), 'its primes have a form')
    })
  })

  it('would be told: what is looked for shows in keys made that way', () => {
    // 2^127 - 1 and 2^89 - 1 are prime; so is the first one after 2^127.
    const [p, next, q] = [2n ** 127n - 1n, 2n ** 127n + 29n, 2n ** 89n - 1n]
    assert.equal(gcd(p * q, p * next), p)
    assert.ok(hasClosePrimes(p * next))
    assert.ok(!hasClosePrimes(p * q))
    assert.ok(TELLING.every((prime) => isPowerOf65537(65537n ** 5n, prime)))
  })
})

/** The first integer of an `Ecdsa-Sig-Value`, DER. */
function rOf(signature: Buffer): bigint {
  const [, , , length = 0] = signature
  return BigInt(`0x${signature.subarray(4, 4 + length).toString('hex')}`)
}

function modulusOf(publicKey: Buffer): bigint {
  const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' })
  const { n = '' } = key.export({ format: 'jwk' })
  return BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`)
}

function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b)
}

/** Fermat's method, for a while. */
function hasClosePrimes(modulus: bigint): boolean {
  let root = squareRoot(modulus) + 1n
  for (let tries = 0; tries < 100; tries += 1, root += 1n) {
    const rest = root * root - modulus
    if (squareRoot(rest) ** 2n === rest) return true
  }
  return false
}

function squareRoot(value: bigint): bigint {
  let root = 1n << BigInt(Math.ceil(value.toString(2).length / 2))
  for (;;) {
    const next = (root + value / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

function isPowerOf65537(modulus: bigint, prime: number): boolean {
  const wanted = Number(modulus % BigInt(prime))
  let power = 1
  for (let exponent = 0; exponent < prime; exponent += 1) {
    if (power === wanted) return true
    power = (power * 65537) % prime
  }
  return false
}
