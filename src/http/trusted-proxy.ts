import { BlockList, isIPv6 } from 'node:net'
import type { Middleware } from 'koa'

const FORWARDED_FOR = 'x-forwarded-for'

interface ProxySettings {
  readonly addresses?: readonly string[]
  readonly clientCertificateHeader?: string
}

/**
 * Drops what only a proxy may say from requests that do not come from one of ours (S38, S51). Without
 * a list, whoever connects is a proxy as far as the setting `trusted` goes. Of the addresses a request
 * came by, what counts is the last that is none of ours: those before it are what the client says itself.
 */
export function believeProxiesOnly({
  addresses,
  clientCertificateHeader,
}: ProxySettings): Middleware {
  const proxies = addresses && listOf(addresses)
  const isProxy = (address: string) =>
    proxies?.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') ?? false
  const names = ['forwarded', FORWARDED_FOR, 'x-forwarded-host', 'x-forwarded-proto']
  if (clientCertificateHeader) names.push(clientCertificateHeader.toLowerCase())
  return ({ req }, next) => {
    if (proxies && !isProxy(req.socket.remoteAddress ?? '')) {
      for (const name of names) {
        delete req.headers[name]
        delete req.headersDistinct[name]
      }
    }
    const forwardedFor = req.headers[FORWARDED_FOR]
    if (forwardedFor === undefined) return next()
    const way = String(forwardedFor).split(',')
    const client = way.map((each) => each.trim()).findLast((each) => !isProxy(each))
    if (client) req.headers[FORWARDED_FOR] = client
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
