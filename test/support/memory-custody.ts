import { constants, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { HsmUnavailableError } from '../../src/errors.js'
import {
  KEY_ALGORITHMS,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from '../../src/keys/algorithms.js'
import { attestWith } from '../../src/keys/attest.js'
import type {
  GeneratedKey,
  KeyCustody,
  ServiceStatement,
  UnsignedCertificate,
} from '../../src/keys/key-custody.js'
import { newKeyId } from '../../src/keys/key-id.js'

interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: Buffer
}

/** RSA keys take seconds: one of each length is enough for all. */
const rsaKeys = new Map<number, KeyPair>()

/** Keys of Node.js, for tests of what is made with keys wherever they are. */
export class MemoryCustody implements KeyCustody {
  readonly keys = new Map<string, KeyPair>()

  generate(algorithm: KeyAlgorithm, keyId = newKeyId('resident')): Promise<GeneratedKey> {
    const pair = newKeyPair(algorithm)
    this.keys.set(keyId, pair)
    return Promise.resolve({ keyId, publicKey: pair.publicKey })
  }

  /** Not of digests: Node.js hashes what it signs. */
  sign(): Promise<Buffer[]> {
    return Promise.reject(new HsmUnavailableError('Ask for a certificate or a statement'))
  }

  certify({ tbs, issuerKeyId, algorithm }: UnsignedCertificate): Promise<Buffer> {
    return Promise.resolve(this.#sign(issuerKeyId, tbs, algorithm))
  }

  /** With the looks of every custody at what is to be signed. */
  attest(statement: ServiceStatement): Promise<Buffer> {
    const { keyId, toBeSigned, algorithm } = statement
    const signed = () => [this.#sign(keyId, toBeSigned, algorithm)]
    const looking = { sign: () => Promise.resolve(signed()) } as unknown as KeyCustody
    return attestWith(looking, statement)
  }

  publicKey(keyId: string): Promise<Buffer | null> {
    return Promise.resolve(this.keys.get(keyId)?.publicKey ?? null)
  }

  destroy(keyId: string): Promise<void> {
    this.keys.delete(keyId)
    return Promise.resolve()
  }

  ready(): Promise<boolean> {
    return Promise.resolve(true)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #sign(keyId: string, bytes: Buffer, { scheme, hash }: SignatureAlgorithm): Buffer {
    const key = this.keys.get(keyId)?.privateKey
    if (!key) throw new HsmUnavailableError('There is no such key')
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: hash.bytes }
    return sign(hash.name, bytes, { key, ...(scheme === 'rsa-pss' ? pss : {}) })
  }
}

function newKeyPair(algorithm: KeyAlgorithm): KeyPair {
  const { family, bits, curveName } = KEY_ALGORITHMS[algorithm]
  if (family === 'ec') return exported(generateKeyPairSync('ec', { namedCurve: curveName ?? '' }))
  const known = rsaKeys.get(bits) ?? exported(generateKeyPairSync('rsa', { modulusLength: bits }))
  rsaKeys.set(bits, known)
  return known
}

function exported(pair: { publicKey: KeyObject; privateKey: KeyObject }): KeyPair {
  const publicKey = pair.publicKey.export({ type: 'spki', format: 'der' })
  return { privateKey: pair.privateKey, publicKey }
}
