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

/** An https address with nothing in it but where to go; null for all others. */
export function plainHttpsAddress(text: unknown): URL | null {
  if (typeof text !== 'string' || text.length > LONGEST_ADDRESS || !URL.canParse(text)) return null
  const url = new URL(text)
  const isPlain = url.username === '' && url.password === '' && url.hash === ''
  return url.protocol === 'https:' && isPlain ? url : null
}

const LONGEST_ADDRESS = 2000

function blockList(networks: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    list.addSubnet(address, Number(prefix), family)
  }
  return list
}
