import { randomBytes, timingSafeEqual } from 'node:crypto'
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { HsmUnavailableError, SignatureWithheldError } from '../../errors.js'
import type { Logger } from '../../observability/logger.js'
import { certifiedKey } from '../../certificates/certified-key.js'
import { describeAlgorithm, type KeyAlgorithm } from '../algorithms.js'
import { certifyWith } from '../certify.js'
import { digestOf } from '../digest.js'
import type {
  GeneratedKey,
  KeyCustody,
  ServiceStatement,
  UnsignedCertificate,
} from '../key-custody.js'
import {
  demandAuthority,
  demandStatement,
  RefusedUseError,
  type KeyStanding,
  type KeyUse,
  type Ledger,
  type LedgerFacts,
  type LedgerRules,
} from './ledger.js'
import {
  encodeFrame,
  failureOf,
  FrameReader,
  isRequest,
  MOST_FRAME_BYTES,
  MOST_HELLO_BYTES,
  ProtocolError,
  readAlgorithm,
  wireKey,
  type Answer,
  type KeyProcessAddress,
  type Request,
  type Welcome,
} from './protocol.js'
import { SigningLine } from './signing-line.js'
import { UsedNames } from './used-names.js'
import { verifyEach } from '../verify-each.js'

export interface KeyServerParts {
  readonly custody: KeyCustody
  readonly ledger: Ledger
  readonly rules: LedgerRules
  readonly logger: Logger
  readonly now?: () => Date
}

type SignRequest = Extract<Request, readonly [number, 'sign', ...unknown[]]>
type OtherRequest = Exclude<Request, SignRequest>

const HELLO_TIMEOUT_MS = 5_000
const MOST_FRESH_KEYS = 1_000
/** How long a key that was one of our own counts as such without asking again. */
const BELIEVE_STANDING_MS = 5_000

interface OwnKey {
  readonly standing: KeyStanding
  readonly publicKey: Buffer | null
}

/**
 * The key process's side of the socket. It believes a server nothing but its token: whether a key may be
 * used, it asks the database.
 */
export class KeyServer {
  readonly #custody: KeyCustody
  readonly #statements: SigningLine
  readonly #ledger: Ledger
  readonly #rules: LedgerRules
  readonly #logger: Logger
  readonly #now: () => Date
  readonly #run = randomBytes(9).toString('base64url')
  readonly #used = new UsedNames()
  /** Keys made in this run that have certified nothing yet. */
  readonly #fresh = new Set<string>()
  readonly #ownKeys = new Map<string, { readonly key: Promise<OwnKey>; readonly until: number }>()
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  #token: Buffer = Buffer.alloc(0)
  #refusedUses = 0

  constructor(parts: KeyServerParts) {
    this.#custody = parts.custody
    this.#statements = new SigningLine(parts.custody)
    this.#ledger = parts.ledger
    this.#rules = parts.rules
    this.#logger = parts.logger
    this.#now = parts.now ?? (() => new Date())
    this.#server = createServer((socket) => this.#welcome(socket))
  }

  /** In this run; for metrics. */
  get refusedUses(): number {
    return this.#refusedUses
  }

  /** The folder of the socket should be its owner's alone. */
  async listen({ socket, token }: KeyProcessAddress): Promise<void> {
    this.#token = Buffer.from(token)
    rmSync(socket, { force: true }) // of the run before, which did not get to it
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(socket, resolve)
    })
    chmodSync(socket, 0o600)
  }

  /** Callers are let go of; what the token is doing for them is waited for by the custody. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #welcome(socket: Socket): void {
    this.#sockets.add(socket)
    const reader = new FrameReader(MOST_HELLO_BYTES)
    let isKnown = false
    socket.setTimeout(HELLO_TIMEOUT_MS, () => socket.destroy())
    socket.on('error', () => undefined) // 'close' follows
    socket.on('close', () => this.#sockets.delete(socket))
    const answers = new Answers(socket)
    socket.on('data', (piece) => {
      try {
        for (const frame of reader.read(piece)) {
          if (isKnown) {
            this.#hear(frame, answers)
          } else {
            this.#demandToken(frame)
            isKnown = true
            socket.setTimeout(0)
            reader.most = MOST_FRAME_BYTES
            socket.write(encodeFrame({ run: this.#run } satisfies Welcome))
          }
        }
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        this.#logger.error({ alarm: 'key-process-caller', why }, 'a caller was cut off')
        socket.destroy()
      }
    })
  }

  /** @throws {ProtocolError} */
  #demandToken(frame: unknown): void {
    const given =
      typeof frame === 'object' && frame !== null && 'token' in frame ? frame.token : null
    const bytes = Buffer.from(typeof given === 'string' ? given : '')
    const isRight = bytes.length === this.#token.length && timingSafeEqual(bytes, this.#token)
    if (!isRight || bytes.length === 0) throw new ProtocolError('a wrong token')
  }

  /** @throws {ProtocolError} */
  #hear(frame: unknown, answers: Answers): void {
    if (!Array.isArray(frame) || !frame.every(isRequest)) {
      throw new ProtocolError('a frame that is not requests')
    }
    const uses: { number: number; use: KeyUse }[] = []
    for (const request of frame) {
      if (request[1] === 'sign') {
        uses.push({ number: request[0], use: readSign(request) })
      } else {
        const signs = request[1] === 'certify' || request[1] === 'attest'
        const otherwise = signs ? 'outcome-unknown' : 'unavailable'
        void this.#answer(request[0], answers, otherwise, () => this.#do(request))
      }
    }
    if (uses.length > 0) void this.#signReserved(uses, answers)
  }

  /** Reads the ledger once for all that came together. */
  async #signReserved(uses: { number: number; use: KeyUse }[], answers: Answers): Promise<void> {
    const begun = performance.now()
    const read = this.#ledger.read(uses.map(({ use }) => use.operation))
    const facts = await read.catch((error: unknown) => {
      this.#logger.error({ err: error }, 'the ledger cannot be read')
      return null
    })
    uses.forEach(({ number, use }, index) => {
      const found = facts?.[index]
      const stages = new Stages(begun)
      const sign = () => {
        if (!found) throw new HsmUnavailableError('The key process cannot read the ledger')
        return this.#signOnce(use, found, stages)
      }
      void this.#answer(number, answers, 'outcome-unknown', sign, stages)
    })
  }

  async #signOnce(use: KeyUse, facts: LedgerFacts, stages: Stages): Promise<string[]> {
    const { keyId, digests, algorithm, operation } = use
    const now = this.#now()
    if (operation.id === '') throw new RefusedUseError('a signature without a reservation')
    // Another run may have signed it before it ended.
    if (!operation.id.startsWith(`${this.#run}.`)) {
      throw new HsmUnavailableError('The key process was started again meanwhile')
    }
    const publicKey = this.#rules.demandReserved(use, facts, now)
    const until = facts.rows[0]?.reservedUntil ?? now
    // Its rows are each for one algorithm, by which it may come once.
    const name = `${operation.id} ${describeAlgorithm(algorithm)}`
    if (!this.#used.add(name, until.getTime() - now.getTime())) {
      throw new RefusedUseError('the same signing again')
    }
    stages.end() // ledger.check
    const signatures = await this.#custody.sign(keyId, digests, algorithm, operation)
    stages.end() // C_Sign
    const areGood = await verifyEach(publicKey, digests, signatures, algorithm)
    stages.end() // signature.verify
    if (!areGood) {
      this.#custody.doubt?.(keyId)
      const why = 'the token returned a signature that does not verify'
      this.#logger.error({ alarm: 'wrong-signature', operationId: operation.id, keyId }, why)
      throw new SignatureWithheldError(why)
    }
    return signatures.map((signature) => signature.toString('base64'))
  }

  /**
   * Authorities certify keys of this custody, and sign nothing else. Whether the certificate is as it should
   * be was looked at before, by those who made it; they verify the signature, too.
   */
  async #certify(certificate: UnsignedCertificate): Promise<Buffer> {
    const { tbs, issuerKeyId, subjectKeyId } = certificate
    const certified = certifiedKey(tbs)
    const known = certified && (await this.#custody.publicKey(subjectKeyId))
    if (!certified || !known?.equals(certified)) {
      throw new RefusedUseError('a certificate for a key that is not ours')
    }
    const standing = await this.#standing(issuerKeyId)
    const isFresh = this.#fresh.has(issuerKeyId) && issuerKeyId === subjectKeyId
    demandAuthority(standing, isFresh)
    if (standing.authority === null) this.#fresh.delete(issuerKeyId)
    return certifyWith(this.#custody, certificate)
  }

  /** Verified before it is let out, like every signature. */
  async #attest(statement: ServiceStatement): Promise<Buffer> {
    const { keyId, toBeSigned, algorithm } = statement
    const { standing, publicKey } = await this.#ownKey(keyId)
    demandStatement(standing, statement, { publicKey, now: this.#now() })
    const digest = digestOf(algorithm.hash, toBeSigned)
    if (!publicKey) throw new HsmUnavailableError(`There is no key ${keyId}`)
    try {
      return await this.#statements.sign({ keyId, publicKey }, digest, algorithm)
    } catch (error) {
      if (error instanceof SignatureWithheldError) {
        this.#logger.error({ alarm: 'wrong-signature', keyId }, error.message)
      }
      throw error
    }
  }

  /** Services sign often, and what their keys are for changes once a year. */
  #ownKey(keyId: string): Promise<OwnKey> {
    const now = performance.now()
    const known = this.#ownKeys.get(keyId)
    if (known && now < known.until) return known.key
    const key = Promise.all([this.#standing(keyId), this.#custody.publicKey(keyId)]).then(
      ([standing, publicKey]) => ({ standing, publicKey }),
    )
    const forget = () => this.#ownKeys.delete(keyId)
    this.#ownKeys.set(keyId, { key, until: now + BELIEVE_STANDING_MS })
    key.then(({ standing }) => standing.authority ?? forget(), forget)
    return key
  }

  async #do(request: OtherRequest): Promise<unknown> {
    switch (request[1]) {
      case 'certify': {
        const [, , issuerKeyId, algorithm, tbs, subjectKeyId] = request
        const signature = await this.#certify({
          ...{ issuerKeyId, subjectKeyId },
          tbs: Buffer.from(tbs, 'base64'),
          algorithm: readAlgorithm(algorithm),
        })
        return signature.toString('base64')
      }
      case 'attest': {
        const [, , keyId, algorithm, kind, toBeSigned, tstInfo] = request
        const signature = await this.#attest({
          ...{ kind, keyId, algorithm: readAlgorithm(algorithm) },
          toBeSigned: Buffer.from(toBeSigned, 'base64'),
          tstInfo: tstInfo === null ? null : Buffer.from(tstInfo, 'base64'),
        })
        return signature.toString('base64')
      }
      case 'generate':
        return wireKey(await this.#generate(request[2], request[3]))
      case 'bind': {
        const [keyId, spki, wrapped = ''] = request[2]
        const [credentialId, userId] = request[3]
        const key = { keyId, publicKey: Buffer.from(spki, 'base64'), wrapped }
        if (!this.#custody.bind) throw new HsmUnavailableError('There are no wrapped keys here')
        return this.#custody.bind(key, { credentialId, userId })
      }
      case 'publicKey': {
        const publicKey = await this.#custody.publicKey(request[2])
        return publicKey?.toString('base64') ?? null
      }
      case 'destroy':
        await this.#rejectInUse(request[2], 'destroying a key in use')
        await this.#custody.destroy(request[2])
        return null
      case 'listKeyIds':
        return this.#custody.listKeyIds?.() ?? []
      case 'ready':
        return request[2] === 'token' && this.#custody.tokenInPlace
          ? this.#custody.tokenInPlace()
          : this.#custody.ready()
    }
  }

  async #generate(algorithm: KeyAlgorithm, name: string | null): Promise<GeneratedKey> {
    // Two keys of one name would both be of no use.
    if (name !== null) await this.#rejectInUse(name, 'a second key of the same name')
    const key = await this.#custody.generate(algorithm, ...(name === null ? [] : [name]))
    this.#fresh.add(key.keyId)
    const [oldest] = this.#fresh
    if (this.#fresh.size > MOST_FRESH_KEYS && oldest) this.#fresh.delete(oldest)
    return key
  }

  async #rejectInUse(keyId: string, why: string): Promise<void> {
    const { isCredentials, authority } = await this.#standing(keyId)
    if (isCredentials || authority) throw new RefusedUseError(why)
  }

  #standing(keyId: string): ReturnType<Ledger['keyStanding']> {
    return this.#ledger.keyStanding(keyId).catch((cause: unknown) => {
      this.#logger.error({ err: cause }, 'the database cannot be read')
      throw new HsmUnavailableError('The key process cannot read the database', { cause })
    })
  }

  async #answer(
    number: number,
    answers: Answers,
    otherwise: 'unavailable' | 'outcome-unknown',
    act: () => Promise<unknown>,
    stages?: Stages,
  ): Promise<void> {
    try {
      const value = await act()
      answers.add(stages ? [number, null, value, stages.took] : [number, null, value])
    } catch (error) {
      if (error instanceof RefusedUseError) {
        this.#refusedUses += 1
        this.#logger.error(
          { alarm: 'refused-use', why: error.message },
          'a use of a key is refused',
        )
        answers.add([number, 'unavailable', `The key process refuses: ${error.message}`])
      } else {
        answers.add([number, ...failureOf(error, otherwise)])
      }
    }
  }
}

/** Takes the time of `SIGNING_STAGES`, each as it ends. */
class Stages {
  /** Milliseconds, to a thousandth. */
  readonly took: number[] = []
  #begun: number

  /** @param begun by `performance.now()` */
  constructor(begun: number) {
    this.#begun = begun
  }

  end(): void {
    const now = performance.now()
    this.took.push(Math.round((now - this.#begun) * 1000) / 1000)
    this.#begun = now
  }
}

/** What is ready within one turn of the event loop goes back in one message. */
class Answers {
  readonly #socket: Socket
  #ready: Answer[] = []

  constructor(socket: Socket) {
    this.#socket = socket
  }

  add(answer: Answer): void {
    this.#ready.push(answer)
    if (this.#ready.length === 1) setImmediate(() => this.#send())
  }

  #send(): void {
    const ready = this.#ready
    this.#ready = []
    if (this.#socket.writable) this.#socket.write(encodeFrame(ready))
  }
}

function readSign(request: SignRequest): KeyUse {
  const [, , keyId, algorithm, digests, operation, bytes] = request
  const [id, ...rows] = operation ?? ['']
  const toBeSigned = bytes?.map((each) => Buffer.from(each, 'base64'))
  return {
    ...{ keyId, operation: { id, rows, ...(toBeSigned ? { toBeSigned } : {}) } },
    algorithm: readAlgorithm(algorithm),
    digests: digests.map((digest) => Buffer.from(digest, 'base64')),
  }
}
