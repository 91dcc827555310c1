import { lookup } from 'node:dns/promises'
import { request } from 'node:https'
import { BlockList, isIP } from 'node:net'

/** Networks that are not the public internet (IANA special-purpose registries), by prefix. */
const SPECIAL_V4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24'],
  ...['192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
]
/** Of IPv6, global unicast alone is public, without what is special in it or holds an IPv4 address. */
const GLOBAL_V6 = '2000::/3'
const SPECIAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20']

const specialV4 = blockList(SPECIAL_V4, 'ipv4')
const globalV6 = blockList([GLOBAL_V6], 'ipv6')
const specialV6 = blockList(SPECIAL_V6, 'ipv6')

/** Whether an address is one of the public internet, where requests of strangers may be sent to (S60). */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !specialV4.check(address, 'ipv4')
    case 6:
      return globalV6.check(address, 'ipv6') && !specialV6.check(address, 'ipv6')
    default:
      return false
  }
}

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

function blockList(networks: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    list.addSubnet(address, Number(prefix), family)
  }
  return list
}
