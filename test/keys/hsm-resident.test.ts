import assert from 'node:assert/strict'
import { createHash, createPublicKey, randomBytes } from 'node:crypto'
import {
  HASH_ALGORITHMS,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from '../../src/keys/algorithms.js'
import { verifyDigest } from '../../src/keys/digest-verifier.js'
import type { ResidentKeyCustody } from '../../src/keys/hsm-resident.js'
import type { GeneratedKey } from '../../src/keys/key-custody.js'
import { HsmUnavailableError, RefusedRequestError } from '../../src/errors.js'
import { opensslVerifies } from '../support/openssl.js'
import { pkcs11, RawToken } from '../support/raw-token.js'
import { newTestToken, openCustody, openTestCustody, type TestToken } from '../support/softhsm.js'

const { sha256, sha384, sha512 } = HASH_ALGORITHMS
const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: sha256 }
const PKCS1: SignatureAlgorithm = { scheme: 'rsa-pkcs1', hash: sha256 }

function algorithmsOf(key: KeyAlgorithm): SignatureAlgorithm[] {
  const hashes = [sha256, sha384, sha512]
  if (!key.startsWith('rsa')) return hashes.map((hash) => ({ scheme: 'ecdsa', hash }))
  return hashes.flatMap((hash): SignatureAlgorithm[] => [
    { scheme: 'rsa-pkcs1', hash },
    { scheme: 'rsa-pss', hash, saltLength: hash.bytes },
  ])
}

describe('Keys in the token', () => {
  let token: TestToken
  let custody: ResidentKeyCustody
  let raw: RawToken
  let rsaKey: GeneratedKey
  let ecKey: GeneratedKey

  before(async () => {
    token = newTestToken()
    custody = await openCustody(token, { sessions: 4 })
    raw = new RawToken(token)
    rsaKey = await custody.generate('rsa-2048')
    ecKey = await custody.generate('p-256')
  })
  after(() => raw.close())

  describe('signatures', () => {
    for (const name of ['rsa-2048', 'rsa-3072', 'rsa-4096', 'p-256', 'p-384', 'p-521'] as const) {
      it(`of ${name} keys are taken by OpenSSL, in every scheme and with every hash`, async () => {
        const known = { 'rsa-2048': rsaKey, 'p-256': ecKey } as Record<string, GeneratedKey>
        const { keyId, publicKey } = known[name] ?? (await custody.generate(name))
        for (const algorithm of algorithmsOf(name)) {
          const digest = randomBytes(algorithm.hash.bytes)
          const [signature] = await custody.sign(keyId, [digest], algorithm)
          assert.ok(signature)
          assert.ok(opensslVerifies(publicKey, digest, signature, algorithm))
          assert.ok(await verifyDigest(publicKey, digest, signature, algorithm))
          digest[0]! ^= 1
          assert.ok(!(await verifyDigest(publicKey, digest, signature, algorithm)))
        }
      }).slow(10_000)
    }

    it('come in the order of the digests', async () => {
      const digests = Array.from({ length: 50 }, () => randomBytes(32))
      const signatures = await custody.sign(ecKey.keyId, digests, ECDSA)
      assert.equal(signatures.length, 50)
      for (const [index, signature] of signatures.entries()) {
        assert.ok(await verifyDigest(ecKey.publicKey, digests[index]!, signature, ECDSA))
      }
    })

    it('are of the digests as they were when sign() was called (S3)', async () => {
      for (let round = 0; round < 40; round += 1) {
        const buffers = Array.from({ length: 6 }, () => randomBytes(32))
        const asked = buffers.map((buffer) => Buffer.from(buffer))
        const promise = custody.sign(ecKey.keyId, buffers, ECDSA)
        for (const buffer of buffers) buffer.fill(round)
        for (const [index, signature] of (await promise).entries()) {
          assert.ok(await verifyDigest(ecKey.publicKey, asked[index]!, signature, ECDSA))
        }
      }
    })

    it('are refused for digests of every other length, and for a whole batch with one of them (S57)', async () => {
      const wrong = Array.from({ length: 201 }, (_, length) => length).filter((n) => n !== 32)
      for (const length of wrong) {
        for (const [key, algorithm] of [[rsaKey, PKCS1] as const, [ecKey, ECDSA] as const]) {
          await assert.rejects(
            custody.sign(key.keyId, [randomBytes(32), Buffer.alloc(length)], algorithm),
            (error) =>
              error instanceof RefusedRequestError &&
              error.message === 'Invalid digest value length',
          )
        }
      }
    })

    it('are refused for a scheme that is not the key’s', async () => {
      await assert.rejects(
        custody.sign(rsaKey.keyId, [randomBytes(32)], ECDSA),
        HsmUnavailableError,
      )
      await assert.rejects(custody.sign(ecKey.keyId, [randomBytes(32)], PKCS1), HsmUnavailableError)
    })

    it('are refused for keys that are not there, and for names that are none', async () => {
      for (const keyId of [randomBytes(16).toString('hex'), '', 'x', '../etc', 'A'.repeat(32)]) {
        await assert.rejects(custody.sign(keyId, [randomBytes(32)], ECDSA), HsmUnavailableError)
        assert.equal(await custody.publicKey(keyId), null)
      }
    })

    it('are refused when two keys have the name (S97)', async () => {
      const { keyId } = await custody.generate('p-256')
      const id = Buffer.from(keyId, 'hex')
      raw.api.C_GenerateKeyPair(
        raw.session,
        { mechanism: pkcs11.CKM_EC_KEY_PAIR_GEN },
        [
          { type: pkcs11.CKA_TOKEN, value: true },
          { type: pkcs11.CKA_ID, value: id },
          { type: pkcs11.CKA_EC_PARAMS, value: Buffer.from('06082a8648ce3d030107', 'hex') },
        ],
        [
          { type: pkcs11.CKA_TOKEN, value: true },
          { type: pkcs11.CKA_ID, value: id },
          { type: pkcs11.CKA_SIGN, value: true },
        ],
      )
      const fresh = await openCustody(token, { sessions: 1 })
      await assert.rejects(
        fresh.sign(keyId, [randomBytes(32)], ECDSA),
        (error) => error instanceof HsmUnavailableError && /Two keys are named/.test(error.message),
      )
      await assert.rejects(fresh.publicKey(keyId), HsmUnavailableError)
      await fresh.destroy(keyId)
      assert.deepEqual(raw.find([{ type: pkcs11.CKA_ID, value: id }]), [])
      await fresh.close()
    })

    it('verify under their own key only, with more callers than sessions (S89)', async () => {
      const small = await openCustody(token, { sessions: 2 })
      const keys = [ecKey, await small.generate('p-256')]
      await Promise.all(
        Array.from({ length: 300 }, async (_, index) => {
          const own = keys[index % 2]!
          const digest = createHash('sha256').update(`message ${index}`).digest()
          const failing = index % 7 === 0
          if (failing) await small.sign(own.keyId, [digest], PKCS1).catch(() => undefined)
          const [signature] = await small.sign(own.keyId, [digest], ECDSA)
          assert.ok(await verifyDigest(own.publicKey, digest, signature!, ECDSA))
          const other = keys[(index + 1) % 2]!
          assert.ok(!(await verifyDigest(other.publicKey, digest, signature!, ECDSA)))
        }),
      )
      await small.close()
    })

    it('go on after calls that failed (S90)', async () => {
      for (let round = 0; round < 20; round += 1) {
        await assert.rejects(custody.sign(ecKey.keyId, [randomBytes(32)], PKCS1))
      }
      const digests = Array.from({ length: 1_000 }, () => randomBytes(32))
      const signatures = await custody.sign(ecKey.keyId, digests, ECDSA)
      for (const [index, signature] of signatures.entries()) {
        assert.ok(await verifyDigest(ecKey.publicKey, digests[index]!, signature, ECDSA))
      }
      assert.equal(custody.state.busy, 0)
    })
  })

  describe('private keys', () => {
    it('have the attributes that were demanded (S85)', () => {
      const demanded = {
        TOKEN: 1,
        PRIVATE: 1,
        SENSITIVE: 1,
        ALWAYS_SENSITIVE: 1,
        EXTRACTABLE: 0,
        NEVER_EXTRACTABLE: 1,
        LOCAL: 1,
        SIGN: 1,
        SIGN_RECOVER: 0,
        DECRYPT: 0,
        UNWRAP: 0,
        DERIVE: 0,
        MODIFIABLE: 0,
        COPYABLE: 0,
      }
      for (const { keyId } of [rsaKey, ecKey]) {
        const key = raw.privateKey(keyId)
        for (const [name, value] of Object.entries(demanded)) {
          const type = pkcs11[`CKA_${name}` as 'CKA_TOKEN']
          assert.deepEqual(raw.attribute(key, type), Buffer.of(value), name)
        }
        assert.equal(raw.attribute(key, pkcs11.CKA_LABEL)?.toString(), keyId)
      }
    })

    it('cannot be read (S85)', () => {
      const parts = [pkcs11.CKA_PRIVATE_EXPONENT, pkcs11.CKA_PRIME_1, pkcs11.CKA_PRIME_2]
      for (const part of parts) {
        const read = () => raw.attribute(raw.privateKey(rsaKey.keyId), part)
        assert.throws(read, /CKR_ATTRIBUTE_SENSITIVE/)
      }
      const read = () => raw.attribute(raw.privateKey(ecKey.keyId), pkcs11.CKA_VALUE)
      assert.throws(read, /CKR_ATTRIBUTE_SENSITIVE/)
    })

    it('cannot be weakened or copied (S85)', () => {
      const key = raw.privateKey(ecKey.keyId)
      const weaker = [
        { type: pkcs11.CKA_EXTRACTABLE, value: true },
        { type: pkcs11.CKA_SENSITIVE, value: false },
        { type: pkcs11.CKA_DERIVE, value: true },
        { type: pkcs11.CKA_LABEL, value: 'other' },
      ]
      for (const attribute of weaker) {
        assert.throws(() => raw.api.C_SetAttributeValue(raw.session, key, [attribute]), /CKR_/)
        assert.throws(() => raw.api.C_CopyObject(raw.session, key, [attribute]), /CKR_/)
      }
    })

    it('cannot be wrapped (S85)', () => {
      const wrapping = raw.api.C_GenerateKey(raw.session, { mechanism: pkcs11.CKM_AES_KEY_GEN }, [
        { type: pkcs11.CKA_VALUE_LEN, value: 32 },
        { type: pkcs11.CKA_WRAP, value: true },
      ])
      const key = raw.privateKey(ecKey.keyId)
      const mechanism = { mechanism: 0x210a } // CKM_AES_KEY_WRAP_PAD
      assert.throws(
        () => raw.api.C_WrapKey(raw.session, mechanism, wrapping, key, Buffer.alloc(4096)),
        /CKR_KEY_UNEXTRACTABLE/,
      )
    })

    it('refuse raw RSA and every mechanism that is not on their list (S59)', () => {
      const refused = {
        [rsaKey.keyId]: [pkcs11.CKM_RSA_X_509, pkcs11.CKM_RSA_9796, pkcs11.CKM_SHA1_RSA_PKCS],
        [ecKey.keyId]: [pkcs11.CKM_ECDSA_SHA1, pkcs11.CKM_ECDSA_SHA256],
      }
      for (const [keyId, mechanisms] of Object.entries(refused)) {
        for (const mechanism of mechanisms) {
          const init = () => raw.api.C_SignInit(raw.session, { mechanism }, raw.privateKey(keyId))
          assert.throws(init, /CKR_MECHANISM_INVALID|CKR_KEY_FUNCTION_NOT_PERMITTED/)
        }
      }
      const decrypt = () =>
        raw.api.C_DecryptInit(
          raw.session,
          { mechanism: pkcs11.CKM_RSA_PKCS },
          raw.privateKey(rsaKey.keyId),
        )
      assert.throws(decrypt, /CKR_KEY_FUNCTION_NOT_PERMITTED/)
    })

    it('have names of 128 random bits', async () => {
      const other = await custody.generate('p-256')
      assert.match(other.keyId, /^[0-9a-f]{32}$/)
      assert.notEqual(other.keyId, ecKey.keyId)
    })
  })

  describe('public keys', () => {
    it('are found again by the name of the key, after a restart too', async () => {
      assert.deepEqual(await custody.publicKey(rsaKey.keyId), rsaKey.publicKey)
      const again = await openCustody(token, { sessions: 1 })
      assert.deepEqual(await again.publicKey(ecKey.keyId), ecKey.publicKey)
      const [signature] = await again.sign(ecKey.keyId, [Buffer.alloc(32, 1)], ECDSA)
      assert.ok(await verifyDigest(ecKey.publicKey, Buffer.alloc(32, 1), signature!, ECDSA))
      await again.close()
    })

    it('are SubjectPublicKeyInfo as OpenSSL writes it', () => {
      for (const { publicKey: key } of [rsaKey, ecKey]) {
        const parsed = createPublicKey({ key, format: 'der', type: 'spki' })
        assert.deepEqual(parsed.export({ format: 'der', type: 'spki' }), key)
      }
      const rsa = createPublicKey({ key: rsaKey.publicKey, format: 'der', type: 'spki' })
      assert.equal(rsa.asymmetricKeyDetails?.publicExponent, 65537n)
    })
  })

  describe('destroying a key', () => {
    it('leaves neither half, and nothing signs with it again (S18)', async () => {
      const { keyId } = await custody.generate('p-256')
      await custody.sign(keyId, [randomBytes(32)], ECDSA)
      await custody.destroy(keyId)
      assert.deepEqual(raw.find([{ type: pkcs11.CKA_ID, value: Buffer.from(keyId, 'hex') }]), [])
      assert.equal(await custody.publicKey(keyId), null)
      await assert.rejects(custody.sign(keyId, [randomBytes(32)], ECDSA), HsmUnavailableError)
    })

    it('is no error when it is not there', async () => {
      await custody.destroy(randomBytes(16).toString('hex'))
      await custody.destroy('no name')
    })

    it('is noticed by those who have used it', async () => {
      const { keyId } = await custody.generate('p-256')
      const other = await openCustody(token, { sessions: 1 })
      await other.sign(keyId, [randomBytes(32)], ECDSA)
      await custody.destroy(keyId)
      await assert.rejects(other.sign(keyId, [randomBytes(32)], ECDSA), HsmUnavailableError)
      await other.close()
    })
  })

  describe('when sessions or login are lost (S91)', () => {
    it('the next signatures are made on new ones', async () => {
      const own = newTestToken()
      const lossy = await openCustody(own, { sessions: 3 })
      const look = new RawToken(own)
      const keys = [await lossy.generate('p-256'), await lossy.generate('p-256')]
      for (const lose of [
        () => look.api.C_CloseAllSessions(look.slot),
        () => look.api.C_CloseAllSessions(look.slot),
      ]) {
        const signatures = await Promise.all(
          keys.map(({ keyId }) => lossy.sign(keyId, [Buffer.alloc(32, 7)], ECDSA)),
        )
        assert.equal(signatures.length, 2)
        lose()
        for (const { keyId, publicKey } of keys) {
          const [signature] = await lossy.sign(keyId, [Buffer.alloc(32, 7)], ECDSA)
          assert.ok(await verifyDigest(publicKey, Buffer.alloc(32, 7), signature!, ECDSA))
        }
      }
      look.api.C_CloseAllSessions(look.slot)
      assert.equal(await lossy.ready(), true)
      look.api.C_CloseAllSessions(look.slot)
      assert.deepEqual(await lossy.publicKey(keys[0]!.keyId), keys[0]!.publicKey)
      await lossy.close()
    })
  })

  describe('opening', () => {
    it('is refused for a token that is not there', async () => {
      const nowhere = { ...token, tokenLabel: 'nowhere' }
      await assert.rejects(openCustody(nowhere), HsmUnavailableError)
    })

    it('is refused with a wrong PIN', async () => {
      const wrong = { ...newTestToken(), pin: '0000' }
      await assert.rejects(
        openCustody(wrong),
        (error) => error instanceof HsmUnavailableError && /CKR_PIN_INCORRECT/.test(error.message),
      )
    })

    it('is refused for a library that is none', async () => {
      await assert.rejects(openCustody({ ...token, module: import.meta.filename }))
    })

    it('shares one library with other custodies, and closing one leaves the rest at work (S88)', async () => {
      const first = await openTestCustody()
      const second = await openCustody(newTestToken())
      assert.equal(await second.ready(), true)
      await second.close()
      assert.equal(await second.ready(), false)
      assert.equal(await first.ready(), true)
    })
  })

  it('shutting down lets calls under way finish, and turns later ones away (S95)', async () => {
    const own = newTestToken()
    for (let round = 0; round < 5; round += 1) {
      const closing = await openCustody(own, { sessions: 4 })
      const { keyId, publicKey } = await closing.generate('p-256')
      const calls = Array.from({ length: 4 }, () =>
        closing.sign(keyId, [Buffer.alloc(32, 5)], ECDSA),
      )
      const closed = closing.close()
      await assert.rejects(
        closing.sign(keyId, [Buffer.alloc(32, 5)], ECDSA),
        (error) => error instanceof HsmUnavailableError && error.message === 'Shutting down',
      )
      for (const [signature] of await Promise.all(calls)) {
        assert.ok(await verifyDigest(publicKey, Buffer.alloc(32, 5), signature!, ECDSA))
      }
      await closed
      await closing.close()
    }
  })
})
