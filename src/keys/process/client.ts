import { randomUUID } from 'node:crypto'
import { createConnection, type Socket } from 'node:net'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../../errors.js'
import type { KeyAlgorithm, SignatureAlgorithm } from '../algorithms.js'
import type {
  GeneratedKey,
  KeyCustody,
  ServiceStatement,
  SigningOperation,
  UnsignedCertificate,
} from '../key-custody.js'
import type { KeyOwner } from '../key-id.js'
import type { Ended } from '../pkcs11/session-pool.js'
import {
  encodeFrame,
  errorOf,
  FrameReader,
  MOST_ANSWER_BYTES,
  MOST_FRAME_BYTES,
  readKey,
  SIGNING_STAGES,
  wireAlgorithm,
  wireKey,
  type Answer,
  type Hello,
  type KeyProcessAddress,
  type Request,
  type Welcome,
  type WireKey,
} from './protocol.js'

export interface KeyProcessClientOptions {
  /** After this a call that was handed over counts as lost; longer than the key process takes for any. */
  readonly callTimeoutMs: number
  /** Calls under way at once; more are turned away. */
  readonly most?: number
  /** Told what a signing spent its time on, in the asynchronous context of whoever asked for it. */
  readonly ended?: Ended
}

/** What a message has room for, the shortest first. */
function wireBytes(all: readonly Buffer[]): string[] {
  const shown = all.map(() => '')
  let room = MOST_TO_BE_SIGNED_TOGETHER
  const byLength = [...all.entries()].sort(([, one], [, other]) => one.length - other.length)
  for (const [index, bytes] of byLength) {
    room -= bytes.length
    if (bytes.length > MOST_TO_BE_SIGNED || room < 0) break
    shown[index] = bytes.toString('base64')
  }
  return shown
}

/** `[method, …arguments]` */
type Call = Request extends readonly [number, ...infer Rest] ? Rest : never

interface Waiting {
  readonly call: Call
  readonly took: number[] | null
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  /** By `performance.now()`. */
  readonly until: number
  handedOver: boolean
}

/** What leaves it unknown whether something was signed when no answer comes. */
const SIGNING: ReadonlySet<Call[0]> = new Set(['sign', 'certify', 'attest'])

const MOST_CALLS = 4_000
const CONNECT_TIMEOUT_MS = 5_000
/** Bytes to be signed that are longer hold their document; then the key process has their digest alone. */
const MOST_TO_BE_SIGNED = 64 * 1024
/** Of one signing; in Base64 two thirds of what a message may have. */
const MOST_TO_BE_SIGNED_TOGETHER = MOST_FRAME_BYTES / 2
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500
const LOOK_FOR_LOST_MS = 250
/** Making an RSA key takes seconds, and tokens make one at a time. */
const GENERATE_TIMEOUT_MS = 150_000

/**
 * The keys of a key process, seen from a server. What is asked for within one turn of the event loop goes
 * over in one message. While the key process is away everything is refused, and it is looked for again
 * until it is back.
 */
export class KeyProcessCustody implements KeyCustody {
  readonly #address: KeyProcessAddress
  readonly #callTimeoutMs: number
  readonly #most: number
  readonly #ended: Ended
  readonly #waiting = new Map<number, Waiting>()
  readonly #looking: NodeJS.Timeout
  #toSend: number[] = []
  #next = 0
  #socket: Socket | null = null
  #run = 'unknown'
  #reconnecting: NodeJS.Timeout | null = null
  #pauseMs = FIRST_PAUSE_MS
  #closing = false
  #whenIdle: (() => void) | null = null

  private constructor(address: KeyProcessAddress, options: KeyProcessClientOptions) {
    this.#address = address
    this.#callTimeoutMs = options.callTimeoutMs
    this.#most = options.most ?? MOST_CALLS
    this.#ended = options.ended ?? (() => undefined)
    this.#looking = setInterval(() => this.#giveUpLost(), LOOK_FOR_LOST_MS)
    this.#looking.unref()
  }

  /** @throws {HsmUnavailableError} when nobody answers at the address, or somebody who does not know us */
  static async connect(
    address: KeyProcessAddress,
    options: KeyProcessClientOptions,
  ): Promise<KeyProcessCustody> {
    const custody = new KeyProcessCustody(address, options)
    try {
      await custody.#connect()
    } catch (error) {
      clearInterval(custody.#looking)
      throw error
    }
    return custody
  }

  /** For metrics: calls that wait for an answer, and those among them that were handed over. */
  get state() {
    const calls = [...this.#waiting.values()]
    const handedOver = calls.filter((call) => call.handedOver).length
    return { waiting: calls.length, handedOver, connected: this.#socket !== null }
  }

  /**
   * A name for a signing that is about to be reserved. The key process takes each once, and none of an
   * earlier run: so a reservation is signed at most once, also when it was killed in between.
   */
  readonly nameOperation = (): string => {
    return `${this.#run}.${randomUUID()}`
  }

  async sign(
    keyId: string,
    digests: readonly Buffer[],
    algorithm: SignatureAlgorithm,
    operation?: SigningOperation,
  ): Promise<Buffer[]> {
    const { toBeSigned } = operation ?? {}
    const took: number[] = []
    const asked = [
      ...(['sign', keyId, wireAlgorithm(algorithm)] as const),
      digests.map((digest) => digest.toString('base64')),
      operation ? ([operation.id, ...operation.rows] as const) : null,
    ] as const
    const call: Call = toBeSigned ? [...asked, wireBytes(toBeSigned)] : [...asked]
    const signatures = (await this.#ask(call, took)) as readonly string[]
    this.#tell(took)
    return signatures.map((signature) => Buffer.from(signature, 'base64'))
  }

  async certify(certificate: UnsignedCertificate): Promise<Buffer> {
    const { tbs, algorithm, issuerKeyId, subjectKeyId } = certificate
    const text = tbs.toString('base64')
    const signature = (await this.#ask([
      ...(['certify', issuerKeyId, wireAlgorithm(algorithm), text, subjectKeyId] as const),
    ])) as string
    return Buffer.from(signature, 'base64')
  }

  async attest(statement: ServiceStatement): Promise<Buffer> {
    const { kind, keyId, toBeSigned, tstInfo, algorithm } = statement
    const signature = (await this.#ask([
      ...(['attest', keyId, wireAlgorithm(algorithm), kind] as const),
      ...([toBeSigned.toString('base64'), tstInfo?.toString('base64') ?? null] as const),
    ])) as string
    return Buffer.from(signature, 'base64')
  }

  async generate(algorithm: KeyAlgorithm, keyId?: string): Promise<GeneratedKey> {
    return readKey((await this.#ask(['generate', algorithm, keyId ?? null])) as WireKey)
  }

  async bind(key: Required<GeneratedKey>, owner: KeyOwner): Promise<string> {
    const { credentialId, userId } = owner
    return (await this.#ask(['bind', wireKey(key), [credentialId, userId]])) as string
  }

  async publicKey(keyId: string): Promise<Buffer | null> {
    const publicKey = (await this.#ask(['publicKey', keyId])) as string | null
    return publicKey === null ? null : Buffer.from(publicKey, 'base64')
  }

  async destroy(keyId: string): Promise<void> {
    await this.#ask(['destroy', keyId])
  }

  async listKeyIds(): Promise<string[]> {
    return (await this.#ask(['listKeyIds'])) as string[]
  }

  async ready(): Promise<boolean> {
    try {
      return (await this.#ask(['ready'])) === true
    } catch {
      return false
    }
  }

  async tokenInPlace(): Promise<string | null> {
    try {
      const token = await this.#ask(['ready', 'token'])
      if (token === true) return this.#run
      return typeof token === 'string' ? `${this.#run} ${token}` : null
    } catch {
      return null
    }
  }

  /** Lets calls under way finish; the key process itself goes on. */
  async close(): Promise<void> {
    this.#closing = true
    if (this.#reconnecting) clearTimeout(this.#reconnecting)
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve))
    clearInterval(this.#looking)
    this.#socket?.end()
    this.#socket = null
  }

  /** Here, because whoever is told wants to know for whom it was: the caller's context is here alone. */
  #tell(took: readonly number[]): void {
    let ago = 0
    for (let stage = took.length - 1; stage >= 0; stage -= 1) {
      const [name, seconds] = [SIGNING_STAGES[stage], (took[stage] ?? 0) / 1000]
      if (name !== undefined) this.#ended(name, seconds, ago)
      ago += seconds
    }
  }

  /** @param took is filled with what the stages of a signing took */
  #ask(call: Call, took: number[] | null = null): Promise<unknown> {
    const refusal = this.#refusal()
    if (refusal !== null) return Promise.reject(new HsmUnavailableError(refusal))
    const number = this.#next++
    const timeout = call[0] === 'generate' ? GENERATE_TIMEOUT_MS : this.#callTimeoutMs
    const until = performance.now() + timeout
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { call, took, resolve, reject, until, handedOver: false })
      this.#toSend.push(number)
      // Later in this turn others may have something to say, too.
      if (this.#toSend.length === 1) setImmediate(() => this.#send())
    })
  }

  #refusal(): string | null {
    if (this.#closing) return 'Shutting down'
    if (this.#socket === null) return 'The key process is away'
    if (this.#waiting.size >= this.#most) return 'Too many callers wait for the key process'
    return null
  }

  #send(): void {
    const numbers = this.#toSend
    this.#toSend = []
    if (this.#socket === null) return
    const requests = numbers.flatMap((number) => {
      const waiting = this.#waiting.get(number)
      return waiting ? [{ number, waiting }] : []
    })
    if (requests.length > 0) this.#write(this.#socket, requests)
  }

  /** One message that is too long would cost everybody the connection. */
  #write(socket: Socket, requests: readonly { number: number; waiting: Waiting }[]): void {
    const frame = encodeFrame(requests.map(({ number, waiting }) => [number, ...waiting.call]))
    const [first, second] = requests
    if (frame.length <= MOST_FRAME_BYTES) {
      for (const { waiting } of requests) waiting.handedOver = true
      socket.write(frame)
    } else if (first && !second) {
      this.#giveUp(first.number, 'More than the key process takes at once')
    } else {
      const half = requests.length >> 1
      this.#write(socket, requests.slice(0, half))
      this.#write(socket, requests.slice(half))
    }
  }

  #take(answers: readonly Answer[]): void {
    for (const [number, failure, value, took = []] of answers) {
      const waiting = this.#remove(number)
      if (!waiting) continue // given up before
      waiting.took?.push(...took)
      if (failure === null) waiting.resolve(value)
      else waiting.reject(errorOf(failure, value))
    }
  }

  #remove(number: number): Waiting | undefined {
    const waiting = this.#waiting.get(number)
    this.#waiting.delete(number)
    if (this.#waiting.size === 0) this.#whenIdle?.()
    return waiting
  }

  #giveUp(number: number, why: string): void {
    const waiting = this.#remove(number)
    if (!waiting) return
    const mayHaveSigned = waiting.handedOver && SIGNING.has(waiting.call[0])
    waiting.reject(mayHaveSigned ? new HsmOutcomeUnknownError(why) : new HsmUnavailableError(why))
  }

  #giveUpLost(): void {
    const now = performance.now()
    for (const [number, { until }] of this.#waiting) {
      if (until < now) this.#giveUp(number, 'The key process did not answer in time')
    }
  }

  /** Resolves when the key process has welcomed us. */
  #connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(this.#address.socket)
      const reader = new FrameReader(MOST_ANSWER_BYTES)
      const fail = (cause: unknown) => {
        reject(new HsmUnavailableError('The key process does not answer', { cause }))
      }
      socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no welcome in time')))
      socket.on('connect', () => {
        socket.write(encodeFrame({ token: this.#address.token } satisfies Hello))
      })
      socket.on('data', (piece) => {
        try {
          for (const frame of reader.read(piece)) {
            if (this.#socket === socket) {
              this.#take(frame as readonly Answer[])
            } else {
              this.#begin(socket, frame as Welcome)
              resolve()
            }
          }
        } catch (error) {
          socket.destroy(error instanceof Error ? error : new Error(String(error)))
        }
      })
      socket.on('error', fail)
      socket.on('close', () => {
        fail(new Error('the connection was closed'))
        if (this.#socket === socket) this.#lose()
      })
    })
  }

  #begin(socket: Socket, { run }: Welcome): void {
    socket.setTimeout(0)
    if (this.#closing) return void socket.end()
    this.#socket = socket
    this.#run = run
    this.#pauseMs = FIRST_PAUSE_MS
  }

  #lose(): void {
    this.#socket = null
    this.#toSend = []
    for (const number of [...this.#waiting.keys()]) this.#giveUp(number, 'The key process ended')
    this.#reconnect()
  }

  #reconnect(): void {
    if (this.#closing) return
    this.#reconnecting = setTimeout(() => {
      this.#connect().catch(() => {
        this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
        this.#reconnect()
      })
    }, this.#pauseMs)
    this.#reconnecting.unref()
  }
}
