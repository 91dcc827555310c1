import { lookup } from 'node:dns/promises'
import { request } from 'node:https'
import { isIP } from 'node:net'
import { isPublicAddress } from '../certificates/public-address.js'

/** All addresses of a host name. */
export type Resolve = (host: string) => Promise<readonly { address: string; family: number }[]>

/** Posts to an address an application named, and returns the HTTP status; what is answered is not read. */
export type PublicPost = (
  url: URL,
  request: { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer },
) => Promise<number>

/** What stands between a name and a connection. */
interface Network {
  readonly resolve: Resolve
  readonly isAllowed: (address: string) => boolean
  /** PEM; those of Node.js when absent. */
  readonly authorities?: string
  readonly timeoutMs: number
}

const INTERNET: Network = {
  resolve: (host) => lookup(host, { all: true }),
  isAllowed: isPublicAddress,
  timeoutMs: 5000,
}

/**
 * A `PublicPost` over HTTPS that cannot be turned inwards: the name is resolved once, to public addresses
 * alone, and connected to as resolved; no redirect is followed, nothing of ours is sent along.
 * @throws {Error} when it cannot be reached, or must not be
 */
export function publicPost(network: Partial<Network> = {}): PublicPost {
  const { resolve, isAllowed, ...connection } = { ...INTERNET, ...network }
  return async (url, { headers, body }) => {
    if (url.protocol !== 'https:') throw new Error('not https')
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const family = isIP(host)
    const found = family ? [{ address: host, family }] : await resolve(host)
    const [target] = found
    if (!target || !found.every(({ address }) => isAllowed(address))) {
      throw new Error('not a public address')
    }
    return send(url, { headers, body }, target, connection)
  }
}

function send(
  url: URL,
  { headers, body }: Parameters<PublicPost>[1],
  target: { address: string; family: number },
  { authorities, timeoutMs }: Pick<Network, 'authorities' | 'timeoutMs'>,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method: 'POST',
      agent: false,
      headers: { ...headers, 'Content-Length': body.length },
      ...(authorities === undefined ? {} : { ca: authorities }),
      signal: AbortSignal.timeout(timeoutMs),
      lookup: (_host, { all }, callback) => {
        if (all) callback(null, [target])
        else callback(null, target.address, target.family)
      },
    })
    outgoing.once('response', (response) => {
      resolve(response.statusCode ?? 0)
      response.destroy()
    })
    // Also after the answer: what breaks then concerns nobody.
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
