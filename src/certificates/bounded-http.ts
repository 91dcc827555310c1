import { lookup } from 'node:dns/promises'
import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { isPublicAddress } from './public-address.js'

export interface HttpAnswer {
  readonly status: number
  /** Without parameters, lower case; empty when absent. */
  readonly contentType: string
  readonly body: Buffer
  /** Seconds after which to ask again, where the server says so. */
  readonly retryAfter?: number
}

export interface HttpQuestion {
  readonly headers?: Readonly<Record<string, string>>
  /** Posted when it is there. */
  readonly body?: Buffer
  readonly mostBytes: number
}

/**
 * Asks a server that somebody else named. One name is resolved once and connected to as resolved, no
 * redirect is followed, nothing of ours is sent along.
 * @throws {Error} when it cannot be reached in time, must not be, or says more than `mostBytes`
 */
export type BoundedHttp = (url: URL, question: HttpQuestion) => Promise<HttpAnswer>

/** What stands between a name and a connection. */
export interface HttpOptions {
  readonly timeoutMs: number
  /** Whether a host may be asked at an address (S60); without it, only at public ones. */
  readonly isAllowed?: (host: string, address: string) => boolean
  readonly resolve?: (host: string) => Promise<readonly { address: string; family: number }[]>
  /** PEM; those of Node.js when absent. */
  readonly authorities?: string
  /** What we show of ourselves, PEM. */
  readonly client?: { readonly cert: string; readonly key: string }
}

const PROTOCOLS = { 'http:': requestHttp, 'https:': requestHttps } as const

export function boundedHttp(options: HttpOptions): BoundedHttp {
  const { isAllowed = (_host, address) => isPublicAddress(address), timeoutMs } = options
  const { resolve = (host) => lookup(host, { all: true }), authorities } = options
  return async (url, question) => {
    const { protocol } = url
    if (protocol !== 'http:' && protocol !== 'https:') throw new Error('neither http nor https')
    if (url.username !== '' || url.password !== '') throw new Error('a password in an address')
    const signal = AbortSignal.timeout(timeoutMs)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const family = isIP(host)
    const found = family ? [{ address: host, family }] : await inTime(resolve(host), signal)
    const [target] = found
    if (!target || !found.every(({ address }) => isAllowed(host, address))) {
      throw new Error('not a public address')
    }
    const ca = { ...(authorities === undefined ? {} : { ca: authorities }), ...options.client }
    return new Promise((done, fail) => {
      const outgoing = PROTOCOLS[protocol](url, {
        method: question.body ? 'POST' : 'GET',
        agent: false,
        headers: {
          ...question.headers,
          ...(question.body ? { 'Content-Length': question.body.length } : {}),
        },
        ...{ ...ca, signal },
        lookup: (_host, { all }, callback) => {
          if (all) callback(null, [target])
          else callback(null, target.address, target.family)
        },
      })
      outgoing.once('response', (response) => {
        readAnswer(response, question.mostBytes).then(done, fail)
      })
      outgoing.on('error', fail)
      outgoing.end(question.body)
    })
  }
}

async function readAnswer(response: IncomingMessage, mostBytes: number): Promise<HttpAnswer> {
  const chunks: Buffer[] = []
  let length = 0
  // Leaving the loop ends the connection.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > mostBytes) throw new Error('the answer is too large')
    chunks.push(chunk)
  }
  const [type = ''] = (response.headers['content-type'] ?? '').split(';')
  const { statusCode: status = 0, headers } = response
  const retryAfter = secondsUntil(headers['retry-after'] ?? '')
  return {
    ...{ status, contentType: type.trim().toLowerCase(), body: Buffer.concat(chunks) },
    ...(retryAfter === null ? {} : { retryAfter }),
  }
}

/** Retry-After is a number of seconds, or a date. @see RFC 9110, 10.2.3 */
function secondsUntil(text: string): number | null {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  const date = /GMT$/.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - Date.now()) / 1000))
}

/** Resolving a name cannot be broken off, but need not be waited for. */
function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((done, fail) => {
    signal.addEventListener('abort', () => fail(new Error('no address in time')), { once: true })
    work.then(done, fail)
  })
}
