import assert from 'node:assert/strict'
import { constants, createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import {
  HASH_ALGORITHMS,
  type HashName,
  type SignatureAlgorithm,
} from '../../src/keys/algorithms.js'
import { verifyDigest } from '../../src/keys/digest-verifier.js'

const MESSAGE = Buffer.from('to be signed')

function keyPair(curve?: string) {
  const { publicKey, privateKey } =
    curve === undefined
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: curve })
  return { spki: publicKey.export({ type: 'spki', format: 'der' }), privateKey }
}

const digestOf = (hash: HashName) => createHash(hash).update(MESSAGE).digest()

function signed(privateKey: KeyObject, { scheme, hash, saltLength }: SignatureAlgorithm): Buffer {
  if (scheme === 'ecdsa') return sign(hash.name, MESSAGE, privateKey)
  const padding =
    scheme === 'rsa-pss' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  return sign(hash.name, MESSAGE, { key: privateKey, padding, ...(saltLength && { saltLength }) })
}

const cases: { name: string; curve?: string; algorithm: SignatureAlgorithm }[] = []
for (const hash of Object.values(HASH_ALGORITHMS)) {
  for (const curve of ['P-256', 'P-384', 'P-521']) {
    cases.push({ name: `${curve} with ${hash.name}`, curve, algorithm: { scheme: 'ecdsa', hash } })
  }
  const pss = { scheme: 'rsa-pss', hash, saltLength: hash.bytes } as const
  cases.push({ name: `RSASSA-PSS with ${hash.name}`, algorithm: pss })
  cases.push({ name: `PKCS#1 v1.5 with ${hash.name}`, algorithm: { scheme: 'rsa-pkcs1', hash } })
}

describe('verifyDigest (S3, S99)', () => {
  for (const { name, curve, algorithm } of cases) {
    describe(`for ${name}`, () => {
      const { spki, privateKey } = keyPair(curve)
      const digest = digestOf(algorithm.hash.name)
      const signature = signed(privateKey, algorithm)

      it('takes what OpenSSL signed', async () => {
        assert.equal(await verifyDigest(spki, digest, signature, algorithm), true)
      })

      it('refuses flipped bits in signature and digest', async () => {
        for (let index = 0; index < signature.length; index += 3) {
          const flipped = Buffer.from(signature)
          flipped[index]! ^= 1 << (index % 8)
          assert.equal(await verifyDigest(spki, digest, flipped, algorithm), false)
        }
        // ECDSA reads no more of a digest than the curve is long
        const read = curve === undefined ? digest.length : Number(curve.slice(2)) / 8
        for (let index = 0; index < Math.min(digest.length, read); index += 5) {
          const flipped = Buffer.from(digest)
          flipped[index]! ^= 1 << (index % 8)
          assert.equal(await verifyDigest(spki, flipped, signature, algorithm), false)
        }
      })

      it('refuses signatures that are cut, longer, empty or rubbish', async () => {
        const malformed = [
          Buffer.alloc(0),
          Buffer.of(0),
          signature.subarray(1),
          signature.subarray(0, -1),
          Buffer.concat([signature, Buffer.of(0)]),
          Buffer.concat([Buffer.of(0), signature]),
          Buffer.alloc(signature.length),
          Buffer.alloc(signature.length, 0xff),
          Buffer.alloc(10_000, 0x30),
          Buffer.from('30060201000201 00'.replace(' ', ''), 'hex'),
          Buffer.from('3080020101020101 0000'.replace(' ', ''), 'hex'),
        ]
        for (const each of malformed) {
          assert.equal(await verifyDigest(spki, digest, each, algorithm), false)
        }
      })

      it('refuses digests of another length', async () => {
        for (const each of [Buffer.alloc(0), digest.subarray(1), Buffer.concat([digest, digest])]) {
          assert.equal(await verifyDigest(spki, each, signature, algorithm), false)
        }
      })

      it('refuses another key', async () => {
        const other = keyPair(curve)
        assert.equal(await verifyDigest(other.spki, digest, signature, algorithm), false)
      })

      it('refuses every other algorithm for the same signature', async () => {
        for (const { algorithm: other } of cases) {
          const same = other.scheme === algorithm.scheme && other.hash === algorithm.hash
          if (same) continue
          const otherDigest = digestOf(other.hash.name)
          assert.equal(await verifyDigest(spki, otherDigest, signature, other), false)
        }
      })
    })
  }

  it('refuses keys that are none, of another kind, or not written as DER wants', async () => {
    const { spki, privateKey } = keyPair('P-256')
    const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
    const signature = signed(privateKey, algorithm)
    const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' })
    const keys = [Buffer.alloc(0), Buffer.from('3000', 'hex'), spki.subarray(0, -1), ed25519]
    for (const key of [...keys, Buffer.concat([spki, Buffer.of(0)]), Buffer.alloc(91, 0x30)]) {
      assert.equal(await verifyDigest(key, digestOf('sha256'), signature, algorithm), false)
    }
  })

  it('refuses PSS signatures with another salt length', async () => {
    const { spki, privateKey } = keyPair()
    const hash = HASH_ALGORITHMS.sha256
    const algorithm = { scheme: 'rsa-pss', hash, saltLength: 32 } as const
    for (const saltLength of [20, 31, 33, 64]) {
      const signature = signed(privateKey, { ...algorithm, saltLength })
      assert.equal(await verifyDigest(spki, digestOf('sha256'), signature, algorithm), false)
    }
  })

  it('refuses RSA signatures without their leading zeros', async () => {
    const { spki, privateKey } = keyPair()
    const algorithm = {
      scheme: 'rsa-pss',
      hash: HASH_ALGORITHMS.sha256,
      saltLength: 32,
    } as const
    // PSS is salted: one signature in 256 begins with a zero.
    let signature = signed(privateKey, algorithm)
    while (signature[0] !== 0) signature = signed(privateKey, algorithm)
    assert.equal(await verifyDigest(spki, digestOf('sha256'), signature, algorithm), true)
    const cut = signature.subarray(1)
    assert.equal(await verifyDigest(spki, digestOf('sha256'), cut, algorithm), false)
  })

  it('judges the buffers as they were when it was called', async () => {
    const { spki, privateKey } = keyPair('P-521')
    const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha512 } as const
    for (let round = 0; round < 20; round += 1) {
      const [digest, signature] = [digestOf('sha512'), signed(privateKey, algorithm)]
      const promise = verifyDigest(spki, digest, signature, algorithm)
      digest.fill(0)
      signature.fill(0)
      assert.equal(await promise, true)
    }
  })

  it('keeps its answers apart with hundreds of calls at once', async () => {
    const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha384 } as const
    const pairs = [keyPair('P-384'), keyPair('P-384')]
    const signatures = pairs.map(({ privateKey }) => signed(privateKey, algorithm))
    const digest = digestOf('sha384')
    const results = await Promise.all(
      Array.from({ length: 400 }, (_, index) =>
        verifyDigest(pairs[index % 2]!.spki, digest, signatures[(index >> 1) % 2]!, algorithm),
      ),
    )
    results.forEach((result, index) => assert.equal(result, index % 2 === (index >> 1) % 2))
  })

  it('forgets old keys and still knows them when they come back', async () => {
    const algorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
    const { spki, privateKey } = keyPair('P-256')
    const signature = signed(privateKey, algorithm)
    assert.equal(await verifyDigest(spki, digestOf('sha256'), signature, algorithm), true)
    for (let index = 0; index < 1_100; index += 1) {
      const other = keyPair('P-256')
      assert.equal(await verifyDigest(other.spki, digestOf('sha256'), signature, algorithm), false)
    }
    assert.equal(await verifyDigest(spki, digestOf('sha256'), signature, algorithm), true)
  })

  it('leaves no errors behind that node:crypto would report as its own', async () => {
    const { spki } = keyPair()
    const algorithm = { scheme: 'rsa-pkcs1', hash: HASH_ALGORITHMS.sha256 } as const
    await verifyDigest(spki, digestOf('sha256'), Buffer.alloc(256, 0xff), algorithm)
    const { privateKey } = keyPair('P-256')
    assert.ok(sign('sha256', MESSAGE, privateKey).length > 0)
  })
})
