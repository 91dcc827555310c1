import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { RandomOctets } from './random-octets.js'

/**
 * Keys derived from the installation's master secret. What is sealed here is unreadable and
 * unchangeable in the database, and cannot be moved to another row: the context is authenticated.
 */
export class Secrets {
  readonly #master: Buffer
  readonly #sealing: KeyObject
  readonly #binding: KeyObject

  constructor(master: Buffer) {
    if (master.length !== 32) throw new Error('The master secret must be 32 bytes')
    this.#master = master
    this.#sealing = createSecretKey(this.derive('seal'))
    this.#binding = createSecretKey(this.derive('bind'))
  }

  /** @param file 64 hexadecimal digits */
  static read(file: string): Secrets {
    const problem = masterSecretProblem(file)
    if (problem !== null) throw new Error(problem)
    return new Secrets(Buffer.from(readFileSync(file, 'utf8').trim(), 'hex'))
  }

  static create(file: string): void {
    writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
  }

  /** A 32-byte key for one purpose. */
  derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#master, '', `openrssp ${purpose}`, 32))
  }

  seal(context: string, text: string): string {
    return this.sealBytes(context, Buffer.from(text)).toString('base64url')
  }

  /** @throws when the text was sealed for another context, with another key, or was changed */
  unseal(context: string, sealed: string): string {
    return this.unsealBytes(context, Buffer.from(sealed, 'base64url')).toString('utf8')
  }

  /** `seal` for what is no text, such as documents. */
  sealBytes(context: string, bytes: Uint8Array): Buffer {
    const nonce = nonces.next()
    const cipher = createCipheriv('aes-256-gcm', this.#sealing, nonce).setAAD(Buffer.from(context))
    return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
  }

  /** @throws as `unseal` does */
  unsealBytes(context: string, sealed: Uint8Array): Buffer {
    const decipher = createDecipheriv('aes-256-gcm', this.#sealing, sealed.subarray(0, 12))
      .setAAD(Buffer.from(context))
      .setAuthTag(sealed.subarray(-16))
    return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
  }

  /** MAC over facts that belong together, such as a person and a key. */
  bind(...facts: readonly string[]): string {
    return createHmac('sha256', this.#binding).update(JSON.stringify(facts)).digest('base64url')
  }

  isBound(mac: string, ...facts: readonly string[]): boolean {
    const expected = Buffer.from(this.bind(...facts))
    const actual = Buffer.from(mac)
    return expected.length === actual.length && timingSafeEqual(expected, actual)
  }
}

const NONCE_BYTES = 12
const nonces = new RandomOctets(NONCE_BYTES)

/** Fewer different bytes than this in 32 do not come from a random source. */
const LEAST_DIFFERENT_BYTES = 16

/** What is wrong with the file that should hold the master secret, or null. */
export function masterSecretProblem(file: string): string | null {
  const text = readFileSync(file, 'utf8').trim()
  if (!/^[0-9a-f]{64}$/i.test(text)) return `${file} does not hold 64 hexadecimal digits`
  const different = new Set(Buffer.from(text, 'hex')).size
  return different < LEAST_DIFFERENT_BYTES ? `${file} holds a sample, not random bytes` : null
}
