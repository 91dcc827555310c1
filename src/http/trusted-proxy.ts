import { BlockList, isIPv6 } from 'node:net'
import type { Middleware } from 'koa'

interface ProxySettings {
  readonly addresses?: readonly string[]
  readonly clientCertificateHeader?: string
}

/**
 * Drops what only a proxy may say from requests that do not come from one of ours (S38, S51). Without
 * a list, whoever connects is a proxy as far as the setting `trusted` goes.
 */
export function believeProxiesOnly({
  addresses,
  clientCertificateHeader,
}: ProxySettings): Middleware {
  if (!addresses) return (_ctx, next) => next()
  const proxies = listOf(addresses)
  const names = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto']
  if (clientCertificateHeader) names.push(clientCertificateHeader.toLowerCase())
  return ({ req }, next) => {
    const peer = req.socket.remoteAddress ?? ''
    if (!proxies.check(peer, isIPv6(peer) ? 'ipv6' : 'ipv4')) {
      for (const name of names) {
        delete req.headers[name]
        delete req.headersDistinct[name]
      }
    }
    return next()
  }
}

/** @throws when one is neither an address nor a network */
function listOf(addresses: readonly string[]): BlockList {
  const list = new BlockList()
  for (const address of addresses) {
    const [host = '', prefix] = address.split('/')
    const family = isIPv6(host) ? 'ipv6' : 'ipv4'
    try {
      if (prefix === undefined) list.addAddress(host, family)
      else list.addSubnet(host, Number(prefix), family)
    } catch (cause) {
      throw new Error(`proxy.addresses: "${address}" is no address or network`, { cause })
    }
  }
  return list
}
