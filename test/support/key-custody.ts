import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { HsmUnavailableError, RefusedRequestError, ServiceError } from '../../src/errors.js'
import {
  HASH_ALGORITHMS,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from '../../src/keys/algorithms.js'
import type { HsmKeys } from '../../src/keys/hsm-keys.js'
import type { GeneratedKey } from '../../src/keys/key-custody.js'
import { newKeyId, type Custody } from '../../src/keys/key-id.js'
import type { OptionalAttribute } from '../../src/keys/pkcs11/session.js'
import { opensslVerifies } from './openssl.js'
import type { WrappedKeyTable } from './wrapped-keys.js'

const { sha256, sha384, sha512 } = HASH_ALGORITHMS
const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: sha256 }
const PKCS1: SignatureAlgorithm = { scheme: 'rsa-pkcs1', hash: sha256 }

export interface OpenKeys {
  readonly keys: HsmKeys
  readonly table: WrappedKeyTable
  /** Another look at the same token, as after a restart. */
  reopen(): Promise<HsmKeys>
}

export interface CustodySuite {
  readonly custody: Custody
  readonly algorithms: readonly KeyAlgorithm[]
  /** Of these the token makes keys that are not as they should be. */
  readonly refused?: readonly KeyAlgorithm[]
  /** What this token cannot do has to be tolerated, and nothing else. */
  readonly tolerate: readonly OptionalAttribute[]
  open(): Promise<OpenKeys>
  close(): Promise<void>
}

function algorithmsOf(key: KeyAlgorithm): SignatureAlgorithm[] {
  const hashes = [sha256, sha384, sha512]
  if (!key.startsWith('rsa')) return hashes.map((hash) => ({ scheme: 'ecdsa', hash }))
  return hashes.flatMap((hash): SignatureAlgorithm[] => [
    { scheme: 'rsa-pkcs1', hash },
    { scheme: 'rsa-pss', hash, saltLength: hash.bytes },
  ])
}

/** What is required of keys, whichever library, token and custody they are in (S117). */
export function describeKeyCustody(name: string, suite: CustodySuite): void {
  describe(name, () => {
    const { custody } = suite
    const [first = 'p-256'] = suite.algorithms
    const scheme = first.startsWith('rsa') ? PKCS1 : ECDSA
    let open: OpenKeys
    let key: GeneratedKey

    async function generate(algorithm: KeyAlgorithm): Promise<GeneratedKey> {
      const made = await open.keys.generate(algorithm, newKeyId(custody))
      if (custody === 'wrapped') open.table.keep(made)
      return made
    }

    before(async () => {
      open = await suite.open()
      key = await generate(first)
    })
    after(() => suite.close())

    for (const algorithm of suite.algorithms) {
      it(`signs with ${algorithm} keys, in every scheme and with every hash`, async () => {
        const { keyId, publicKey } = algorithm === first ? key : await generate(algorithm)
        for (const how of algorithmsOf(algorithm)) {
          const digest = randomBytes(how.hash.bytes)
          const [signature] = await open.keys.sign(keyId, [digest], how)
          assert.ok(signature && opensslVerifies(publicKey, digest, signature, how))
        }
      }).slow(10_000)
    }

    for (const algorithm of suite.refused ?? []) {
      it(`makes no ${algorithm} keys, which this token would give more uses than signing (S85)`, async () => {
        await assert.rejects(generate(algorithm), /The token made a key with other attributes/)
      })
    }

    it('needs no more to be tolerated than it says', async () => {
      const found = await open.keys.findTolerations(custody)
      assert.deepEqual([...found].sort(), [...suite.tolerate].sort())
    })

    it('signs for many callers at once, each with its own key (S89)', async () => {
      const all = [key, await generate(first), await generate(first)]
      await Promise.all(
        Array.from({ length: 30 }, async (_, index) => {
          const own = all[index % all.length]!
          const digest = createHash('sha256').update(`message ${index}`).digest()
          const [signature] = await open.keys.sign(own.keyId, [digest], scheme)
          assert.ok(signature && opensslVerifies(own.publicKey, digest, signature, scheme))
        }),
      )
    })

    it('signs after a restart, by the name of the key', async () => {
      const again = await open.reopen()
      const digest = randomBytes(32)
      assert.deepEqual(await again.publicKey(key.keyId), key.publicKey)
      const [signature] = await again.sign(key.keyId, [digest], scheme)
      assert.ok(signature && opensslVerifies(key.publicKey, digest, signature, scheme))
      await again.close()
    })

    it('refuses digests of another length (S57)', async () => {
      for (const length of [0, 20, 31, 33, 64]) {
        const signing = open.keys.sign(key.keyId, [Buffer.alloc(length)], scheme)
        await assert.rejects(signing, RefusedRequestError)
      }
    })

    it('refuses a scheme that is not the key’s, and goes on (S90)', async () => {
      const other = scheme === ECDSA ? PKCS1 : ECDSA
      for (let round = 0; round < 3; round += 1) {
        // A token that cannot name the mechanisms of a key notices only when it is asked to sign.
        await assert.rejects(open.keys.sign(key.keyId, [Buffer.alloc(32)], other), ServiceError)
      }
      const [signature] = await open.keys.sign(key.keyId, [Buffer.alloc(32)], scheme)
      assert.ok(signature && opensslVerifies(key.publicKey, Buffer.alloc(32), signature, scheme))
    })

    it('refuses keys that are not there, and names that are none', async () => {
      for (const keyId of [newKeyId(custody), custody === 'wrapped' ? 'w' : '', 'x', '../etc']) {
        const signing = open.keys.sign(keyId, [Buffer.alloc(32)], scheme)
        await assert.rejects(signing, HsmUnavailableError)
        assert.equal(await open.keys.publicKey(keyId), null)
      }
    })

    it('destroys keys, so that nothing signs with them (S18)', async () => {
      const { keyId } = await generate(first)
      await open.keys.sign(keyId, [Buffer.alloc(32)], scheme)
      open.table.rows.delete(keyId)
      await open.keys.destroy(keyId)
      const signing = open.keys.sign(keyId, [Buffer.alloc(32)], scheme)
      await assert.rejects(signing, HsmUnavailableError)
      assert.equal(await open.keys.publicKey(keyId), null)
      assert.ok(!(await open.keys.listKeyIds()).includes(keyId))
      await open.keys.destroy(keyId)
    })

    it('keeps keys where it says', async () => {
      const inToken = await open.keys.listKeyIds()
      assert.equal(inToken.includes(key.keyId), custody === 'resident')
    })
  })
}
