import {
  HsmOutcomeUnknownError,
  HsmUnavailableError,
  SignatureWithheldError,
  type ServiceError,
} from '../../errors.js'
import {
  HASH_ALGORITHMS,
  KEY_ALGORITHMS,
  type HashName,
  type KeyAlgorithm,
  type SignatureAlgorithm,
  type SignatureScheme,
} from '../algorithms.js'
import type { GeneratedKey, StatementKind } from '../key-custody.js'

/*
 * What passes between servers and the key process: frames of a length (4 octets, little endian) and that
 * many octets of JSON. A frame holds all that was to be said at the moment, so that a busy server pays for
 * one write, not for one each. JSON, because it costs no more than binary formats here and its parser can
 * be trusted with bytes from a process that was broken into.
 */

/** Where a key process listens, and the secret it wants to hear first. */
export interface KeyProcessAddress {
  /** Path of a unix socket. */
  readonly socket: string
  readonly token: string
}

export interface Hello {
  readonly token: string
}

/** Answer to a good `Hello`. */
export interface Welcome {
  /** Names this run of the key process; signings are reserved for one run. */
  readonly run: string
}

/** `[number, method, …arguments]` */
export type Request = readonly [
  number,
  ...(
    | readonly [
        ...['sign', string, WireAlgorithm, readonly string[], WireOperation | null],
        toBeSigned?: readonly string[],
      ]
    | readonly ['certify', string, WireAlgorithm, string, string]
    | readonly ['attest', string, WireAlgorithm, StatementKind, string, string | null]
    | readonly ['generate', KeyAlgorithm, string | null]
    | readonly ['bind', WireKey, readonly [credentialId: string, userId: string]]
    | readonly ['publicKey', string]
    | readonly ['destroy', string]
    | readonly ['listKeyIds']
    // one from before there was a second member answers without looking at it
    | readonly ['ready', which?: 'token']
  ),
]

/** Name, public half, and the wrapped private half unless it stays in the token. */
export type WireKey = readonly [string, string] | readonly [string, string, string]

/** Scheme, hash, and the length of the salt where there is one. */
export type WireAlgorithm = readonly [SignatureScheme, HashName, number | null]
/** Name of the signing, then its ledger rows in the order of the digests. */
export type WireOperation = readonly [string, ...string[]]

export type Failure = 'unavailable' | 'outcome-unknown' | 'withheld'
/** `[number, null, value]`, with `SIGNING_STAGES` for a signing; or `[number, failure, message]`. */
export type Answer =
  readonly [number, null, unknown, (readonly number[])?] | readonly [number, Failure, string]

/** What a signing spends its time on in the key process, one after the other; in milliseconds on the wire. */
export const SIGNING_STAGES = ['ledger.check', 'C_Sign', 'signature.verify'] as const

/** Longest frame that is taken: a thousand digests with their rows are a tenth of it. */
export const MOST_FRAME_BYTES = 4 * 1024 * 1024
/** Answers come from who is trusted, and may name every key there is. */
export const MOST_ANSWER_BYTES = 256 * 1024 * 1024
/** Before the token was heard. */
export const MOST_HELLO_BYTES = 1024
const HEADER_BYTES = 4

export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

export function encodeFrame(value: unknown): Buffer {
  const text = JSON.stringify(value)
  const length = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length)
  frame.writeUInt32LE(length, 0)
  frame.write(text, HEADER_BYTES)
  return frame
}

/** Cuts a stream of octets into frames again, however it comes in pieces. */
export class FrameReader {
  /** Octets a frame may have; the reader of a stream raises it once it trusts the other end. */
  most: number
  #pieces: Buffer[] = []
  #have = 0
  /** Octets to collect before there is something to do: a header, or a frame with its header. */
  #need = HEADER_BYTES

  constructor(most: number) {
    this.most = most
  }

  /**
   * Takes the next piece and yields what is whole now.
   * @throws {ProtocolError} for a frame that is too long, or is not JSON
   */
  *read(piece: Buffer): Generator<unknown> {
    this.#pieces.push(piece)
    this.#have += piece.length
    while (this.#have >= this.#need) {
      const [first = piece, ...more] = this.#pieces
      const bytes = more.length === 0 ? first : Buffer.concat(this.#pieces)
      const length = bytes.readUInt32LE(0)
      if (length > this.most) throw new ProtocolError(`a frame of ${length} octets`)
      const end = HEADER_BYTES + length
      const isWhole = bytes.length >= end
      this.#keep(isWhole ? bytes.subarray(end) : bytes)
      this.#need = isWhole ? HEADER_BYTES : end
      if (isWhole) yield parse(bytes.subarray(HEADER_BYTES, end))
    }
  }

  #keep(rest: Buffer): void {
    this.#pieces = rest.length === 0 ? [] : [rest]
    this.#have = rest.length
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new ProtocolError('a frame that is not JSON', { cause })
  }
}

export function wireAlgorithm({ scheme, hash, saltLength }: SignatureAlgorithm): WireAlgorithm {
  return [scheme, hash.name, saltLength ?? null]
}

const SCHEMES: readonly unknown[] = ['rsa-pkcs1', 'rsa-pss', 'ecdsa'] satisfies SignatureScheme[]

const STATEMENT_KINDS: readonly unknown[] = [
  'crl',
  'ocsp-response',
  'timestamp',
  'certificate-request',
] satisfies StatementKind[]

function isAlgorithm(value: unknown): value is WireAlgorithm {
  if (!Array.isArray(value) || value.length !== 3) return false
  const [scheme, hash, salt] = value as unknown[]
  const isHash = typeof hash === 'string' && Object.hasOwn(HASH_ALGORITHMS, hash)
  return SCHEMES.includes(scheme) && isHash && (salt === null || Number.isInteger(salt))
}

export function readAlgorithm([scheme, hash, salt]: WireAlgorithm): SignatureAlgorithm {
  const facts = { scheme, hash: HASH_ALGORITHMS[hash] }
  return salt === null ? facts : { ...facts, saltLength: salt }
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

/** Whether this is a request as we write them: what is not is not answered, it ends the connection. */
export function isRequest(value: unknown): value is Request {
  if (!Array.isArray(value)) return false
  const [number, method, first, second, third, fourth, fifth] = value as unknown[]
  if (!Number.isSafeInteger(number)) return false
  switch (method) {
    case 'sign':
      return (
        typeof first === 'string' &&
        isAlgorithm(second) &&
        isStrings(third) &&
        (fourth === null || (isStrings(fourth) && fourth.length > 0)) &&
        (fifth === undefined || (isStrings(fifth) && fifth.length === third.length))
      )
    case 'certify':
      return typeof first === 'string' && isAlgorithm(second) && isStrings([third, fourth])
    case 'attest':
      return (
        typeof first === 'string' &&
        isAlgorithm(second) &&
        STATEMENT_KINDS.includes(third) &&
        typeof fourth === 'string' &&
        (fifth === null || typeof fifth === 'string')
      )
    case 'generate':
      return (
        typeof first === 'string' &&
        Object.hasOwn(KEY_ALGORITHMS, first) &&
        (second === null || typeof second === 'string')
      )
    case 'bind':
      return isStrings(first) && first.length === 3 && isStrings(second) && second.length === 2
    case 'publicKey':
    case 'destroy':
      return typeof first === 'string'
    case 'listKeyIds':
    case 'ready':
      return true
    default:
      return false
  }
}

export function wireKey({ keyId, publicKey, wrapped }: GeneratedKey): WireKey {
  const spki = publicKey.toString('base64')
  return wrapped === undefined ? [keyId, spki] : [keyId, spki, wrapped]
}

export function readKey([keyId, spki, wrapped]: WireKey): GeneratedKey {
  const key = { keyId, publicKey: Buffer.from(spki, 'base64') }
  return wrapped === undefined ? key : { ...key, wrapped }
}

const ERRORS = {
  unavailable: HsmUnavailableError,
  'outcome-unknown': HsmOutcomeUnknownError,
  withheld: SignatureWithheldError,
} satisfies Record<Failure, new (message: string) => ServiceError>

/** @param otherwise what a failure means that has no name: that depends on what was asked */
export function failureOf(error: unknown, otherwise: Failure): readonly [Failure, string] {
  const names = Object.keys(ERRORS) as Failure[]
  const known = names.find((name) => error instanceof ERRORS[name])
  return [known ?? otherwise, error instanceof Error ? error.message : String(error)]
}

export function errorOf(failure: Failure, message: string): ServiceError {
  return new ERRORS[failure](message)
}
