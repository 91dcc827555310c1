import type { Context, Middleware } from 'koa'
import type { Gate, GateLimits, GateObserver } from '../admission/gate.js'
import { networkOf } from '../admission/network.js'
import { OverloadedError, TooManyRequestsError } from '../errors.js'
import { LARGE, LargeMember } from './large-members.js'

export interface EntranceLimits {
  /** Requests read, waiting or answered at a time. */
  readonly requestsAtOnce: number
  /** Of these, how many may come from one address. */
  readonly requestsPerAddress: number
  /** Bytes of the bodies of all of them, and of large answers that were not read yet. */
  readonly bodyBytesAtOnce: number
  /** Of the largest body that is read. */
  readonly bodyBytes: number
  /** Of the largest document, which bodies of some methods hold in Base64. */
  readonly documentBytes: number
  /** Paths of those methods. */
  readonly documentPaths: ReadonlySet<string>
  /** Paths whose answers can be asked for again, whatever the HTTP method. */
  readonly pollPaths: ReadonlySet<string>
}

/** The most that is read of a body: of a document, Base64 and what goes with it. */
export function largestBody(
  { takesDocuments }: { readonly takesDocuments: boolean },
  { bodyBytes, documentBytes }: { readonly bodyBytes: number; readonly documentBytes: number },
): number {
  return takesDocuments ? Math.ceil(documentBytes / 3) * 4 + bodyBytes : bodyBytes
}

const RETRY_SECONDS = 1
/** For reading a large answer, also by telephone. */
const MOST_SENDING_MS = 120_000

/** What one address takes up. */
interface Share {
  requests: number
  bytes: number
  /** Of these, what is of answers that nobody has read to their end. */
  unread: number
}

/**
 * Bounds what requests can take up before anybody knows whose they are: their number, and the memory of
 * their bodies, half of which is as much as one address gets. Large answers count until they are read.
 */
export class Entrance {
  readonly #limits: EntranceLimits
  readonly #observer: GateObserver
  readonly #byAddress = new Map<string, Share>()
  #requests = 0
  #bytes = 0

  constructor(limits: EntranceLimits, observer: GateObserver) {
    this.#limits = limits
    this.#observer = observer
  }

  get load() {
    return { gate: 'entrance', running: this.#requests, waiting: 0 }
  }

  /**
   * @throws {OverloadedError} @throws {TooManyRequestsError}
   */
  middleware(): Middleware {
    return async (ctx, next) => {
      const ip = networkOf(ctx.ip)
      const bytes = this.#bodyBytes(ctx)
      const mine = this.#byAddress.get(ip) ?? { requests: 0, bytes: 0, unread: 0 }
      this.#rejectTooMuch(mine, bytes)
      this.#byAddress.set(ip, mine)
      this.#count(mine, 1, bytes)
      const isAskedAgain = ctx.method === 'GET' || this.#limits.pollPaths.has(ctx.path)
      const leave = () => {
        if (mine.requests === 0 && mine.unread === 0) this.#byAddress.delete(ip)
      }
      try {
        await next()
        const answer = largeAnswer(ctx)
        if (isAskedAgain && answer > 0) this.#rejectUnread(mine, answer, bytes)
        if (answer > 0) this.#countUntilRead(ctx, mine, answer, leave)
      } finally {
        this.#count(mine, -1, -bytes)
        leave()
      }
    }
  }

  /** Whoever does not read what was asked for is not given more; one answer is, however large. */
  #rejectUnread(mine: Share, answer: number, bytes: number): void {
    if (mine.unread > 0) this.#rejectTooMuch({ ...mine, requests: 0 }, answer - bytes)
  }

  #countUntilRead(ctx: Context, mine: Share, answer: number, leave: () => void): void {
    this.#count(mine, 0, answer)
    mine.unread += answer
    const timer = setTimeout(() => ctx.res.destroy(), MOST_SENDING_MS)
    ctx.res.once('close', () => {
      clearTimeout(timer)
      this.#count(mine, 0, -answer)
      mine.unread -= answer
      leave()
    })
  }

  #count(mine: Share, requests: number, bytes: number): void {
    mine.requests += requests
    mine.bytes += bytes
    this.#requests += requests
    this.#bytes += bytes
  }

  #rejectTooMuch(mine: Share, bytes: number): void {
    const { requestsAtOnce, requestsPerAddress, bodyBytesAtOnce } = this.#limits
    if (mine.requests >= requestsPerAddress || mine.bytes + bytes > bodyBytesAtOnce / 2) {
      this.#observer.turnedAway('entrance', 'party has too many')
      throw new TooManyRequestsError(RETRY_SECONDS)
    }
    if (this.#requests >= requestsAtOnce || this.#bytes + bytes > bodyBytesAtOnce) {
      this.#observer.turnedAway('entrance', 'too many')
      throw new OverloadedError('Too many requests at a time', RETRY_SECONDS)
    }
  }

  /** What the body may take: of what says that it is larger than the largest, nothing is read. */
  #bodyBytes(ctx: Context): number {
    const takesDocuments = this.#limits.documentPaths.has(ctx.path)
    const bodyBytes = largestBody({ takesDocuments }, this.#limits)
    if (ctx.get('transfer-encoding') !== '') return bodyBytes
    return Math.min(Number(ctx.get('content-length')) || 0, bodyBytes)
  }
}

/** Bytes of an answer that takes up memory until it is read; 0 of others. */
function largeAnswer(ctx: Context): number {
  // Koa would find out the length of an object by making its text.
  const length = Number(ctx.res.getHeader('Content-Length') ?? 0)
  return length >= LARGE && !isGone(ctx) ? length : 0
}

/** What the configuration says of the gate through which all work passes. */
export function gateLimits(limits: {
  readonly workAtOnce: number
  readonly waiting: number
  readonly waitingPerClient: number
  readonly waitSeconds: number
  readonly longPolls: number
  readonly longPollsPerClient: number
}): GateLimits {
  return {
    atOnce: limits.workAtOnce,
    waiting: limits.waiting,
    waitingEach: limits.waitingPerClient,
    patienceSeconds: limits.waitSeconds,
    resting: limits.longPolls,
    restingEach: limits.longPollsPerClient,
  }
}

/** The same for what people and applications do before a token says whose it is. */
export function pageGateLimits(
  limits: Parameters<typeof gateLimits>[0] & {
    readonly pagesAtOnce: number
    readonly pagesPerAddress: number
  },
): GateLimits {
  const { pagesAtOnce, pagesPerAddress } = limits
  return { ...gateLimits(limits), atOnce: pagesAtOnce, atOnceEach: pagesPerAddress }
}

/** The same for what is there for everybody who relies on certificates and timestamps. */
export function pkiGateLimits(
  limits: Parameters<typeof gateLimits>[0] & {
    readonly pkiAtOnce: number
    readonly pkiPerAddress: number
  },
): GateLimits {
  const { pkiAtOnce, pkiPerAddress } = limits
  return { ...gateLimits(limits), atOnce: pkiAtOnce, atOnceEach: pkiPerAddress }
}

/** Has what is not for an application that is known by its token wait by address. */
export function takeTurns(gate: Gate): Middleware {
  return (ctx, next) => {
    const entrant = { party: `address ${networkOf(ctx.ip)}`, isGone: () => isGone(ctx) }
    return gate.pass(entrant, () => next())
  }
}

/** Whether the caller has hung up. */
export function isGone({ res }: Context): boolean {
  return res.closed || res.destroyed
}

/** Units of work that the body of a request asks for: one for each hash, and more for a large document. */
export function costOf(body: Readonly<Record<string, unknown>>): number {
  const { hashes = body['hash'], documents, documentDigests } = body
  const items: unknown[] = [documents, documentDigests].flatMap((each) => each ?? [])
  const own = Array.isArray(hashes) ? hashes.length : 0
  return Math.max(
    1,
    items.reduce<number>((cost, item) => cost + costOfItem(item), own),
  )
}

/** Characters of a document that count as one unit of work. */
const UNIT = 128 * 1024

function costOfItem(item: unknown): number {
  const { document, hashes } = (item ?? {}) as { document?: unknown; hashes?: unknown }
  const isText = typeof document === 'string' || document instanceof LargeMember
  const size = isText ? Math.ceil(document.length / UNIT) : 0
  return size + (Array.isArray(hashes) ? hashes.length : 1)
}
