import {
  createHash,
  generateKeyPairSync,
  randomBytes,
  sign,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'
import { isoCBOR } from '@simplewebauthn/server/helpers'

type Algorithm = 'ES256' | 'EdDSA' | 'RS256'

interface Options {
  readonly challenge: string
  readonly rpId?: string
  readonly rp?: { readonly id?: string }
  readonly user?: { readonly id: string }
}

/** What an authenticator, or a browser around it, may do wrong. */
export interface Faults {
  readonly type?: string
  readonly challenge?: string
  readonly origin?: string
  readonly crossOrigin?: boolean
  readonly rpId?: string
  readonly userPresent?: boolean
  readonly userVerified?: boolean
  readonly counter?: number
  readonly id?: string
  readonly userHandle?: string | null
  /** Signs with another key. */
  readonly otherKey?: boolean
  readonly attestation?: { fmt: string; attStmt: Map<string, unknown> }
}

const USER_PRESENT = 0x01
const USER_VERIFIED = 0x04
const ATTESTED = 0x40

/** An authenticator in software: holds one passkey, and does what it is told. */
export class SoftwareAuthenticator {
  readonly id = randomBytes(24).toString('base64url')
  readonly #origin: string
  readonly #algorithm: Algorithm
  readonly #keys: { publicKey: KeyObject; privateKey: KeyObject }
  #userHandle: string | null = null
  /** Null for one that does not count. */
  counter: number | null

  constructor(
    origin: string,
    settings: { algorithm?: Algorithm; counter?: number | null; rsaBits?: number } = {},
  ) {
    this.#origin = origin
    this.#algorithm = settings.algorithm ?? 'ES256'
    this.counter = settings.counter === undefined ? 1 : settings.counter
    this.#keys = newKeys(this.#algorithm, settings.rsaBits)
  }

  /** The answer to `navigator.credentials.create`, as the page's script posts it. */
  create(options: Options, faults: Faults = {}): string {
    this.#userHandle = options.user?.id ?? null
    const id = Buffer.from(faults.id ?? this.id, 'base64url')
    const length = Buffer.alloc(2)
    length.writeUInt16BE(id.length)
    const attested = Buffer.concat([Buffer.alloc(16), length, id, this.#coseKey()])
    const authData = this.#authenticatorData(options.rp?.id, faults, ATTESTED, attested)
    const { fmt, attStmt } = faults.attestation ?? { fmt: 'none', attStmt: new Map() }
    const attestationObject = isoCBOR.encode(
      new Map<string, never>([
        ['fmt', fmt as never],
        ['attStmt', attStmt as never],
        ['authData', new Uint8Array(authData) as never],
      ]),
    )
    return JSON.stringify({
      id: this.id,
      response: {
        clientDataJSON: this.#clientData('webauthn.create', options, faults).toString('base64url'),
        attestationObject: Buffer.from(attestationObject).toString('base64url'),
        transports: ['internal'],
      },
    })
  }

  /** The answer to `navigator.credentials.get`. */
  get(options: Options, faults: Faults = {}): string {
    if (this.counter !== null) this.counter += 1
    const clientData = this.#clientData('webauthn.get', options, faults)
    const authData = this.#authenticatorData(options.rpId, faults)
    const clientDataHash = createHash('sha256').update(clientData).digest()
    const key = faults.otherKey ? newKeys(this.#algorithm).privateKey : this.#keys.privateKey
    const digest = this.#algorithm === 'EdDSA' ? null : 'sha256'
    const signature = sign(digest, Buffer.concat([authData, clientDataHash]), key)
    const userHandle = faults.userHandle === undefined ? this.#userHandle : faults.userHandle
    return JSON.stringify({
      id: faults.id ?? this.id,
      response: {
        clientDataJSON: clientData.toString('base64url'),
        authenticatorData: authData.toString('base64url'),
        signature: signature.toString('base64url'),
        ...(userHandle === null ? {} : { userHandle }),
      },
    })
  }

  #clientData(type: string, { challenge }: Options, faults: Faults): Buffer {
    return Buffer.from(
      JSON.stringify({
        type: faults.type ?? type,
        challenge: faults.challenge ?? challenge,
        origin: faults.origin ?? this.#origin,
        crossOrigin: faults.crossOrigin ?? false,
      }),
    )
  }

  /** WebAuthn, 6.1 */
  #authenticatorData(
    rpId = '',
    { userPresent = true, userVerified = true, ...faults }: Faults,
    more = 0,
    attested: Buffer = Buffer.alloc(0),
  ): Buffer {
    const flags = (userPresent ? USER_PRESENT : 0) | (userVerified ? USER_VERIFIED : 0) | more
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(faults.counter ?? this.counter ?? 0)
    const rpIdHash = createHash('sha256')
      .update(faults.rpId ?? rpId)
      .digest()
    return Buffer.concat([rpIdHash, Buffer.from([flags]), counter, attested])
  }

  /** RFC 9053 */
  #coseKey(): Buffer {
    const jwk = this.#keys.publicKey.export({ format: 'jwk' })
    return Buffer.from(isoCBOR.encode(coseKey(jwk, this.#algorithm) as never))
  }
}

function newKeys(algorithm: Algorithm, modulusLength = 2048) {
  switch (algorithm) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'EdDSA':
      return generateKeyPairSync('ed25519')
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength })
  }
}

function coseKey({ x, y, n, e }: JsonWebKey, algorithm: Algorithm): Map<number, unknown> {
  const bytes = (text = '') => new Uint8Array(Buffer.from(text, 'base64url'))
  switch (algorithm) {
    case 'ES256':
      return new Map<number, unknown>([
        ...([
          [1, 2],
          [3, -7],
          [-1, 1],
        ] as const),
        [-2, bytes(x)],
        [-3, bytes(y)],
      ])
    case 'EdDSA':
      return new Map<number, unknown>([
        ...([
          [1, 1],
          [3, -8],
          [-1, 6],
        ] as const),
        [-2, bytes(x)],
      ])
    case 'RS256':
      return new Map<number, unknown>([
        ...([
          [1, 3],
          [3, -257],
        ] as const),
        [-1, bytes(n)],
        [-2, bytes(e)],
      ])
  }
}

/** What a page asks the browser for. */
export function questionOf(html: string): Options {
  const attribute = /data-options="([^"]*)"/.exec(html)?.[1]
  if (attribute === undefined) throw new Error(`No question to a passkey in ${html}`)
  const text = attribute
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&amp;', '&')
  return JSON.parse(text) as Options
}
