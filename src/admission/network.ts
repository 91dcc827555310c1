import { isIPv6 } from 'node:net'

/**
 * Whose an address is, where attempts and requests are counted: who has one of IPv6 has the other 2^64 of
 * its network, too. An IPv4 address is itself, also when it is written as one of IPv6.
 */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const groups = groupsOf(address)
  const [high = 0, low = 0] = groups.slice(6).map((group) => parseInt(group, 16))
  const isV4 = groups.slice(0, 5).every((group) => group === '0') && groups[5] === 'ffff'
  if (isV4) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  return `${groups.slice(0, 4).join(':')}::/64`
}

/** All eight, in hexadecimal digits, without leading zeros. */
function groupsOf(address: string): string[] {
  const [withoutZone = ''] = address.split('%')
  const normal = new URL(`http://[${withoutZone}]`).hostname.slice(1, -1)
  const [left = [], right = []] = normal
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''))
  const zeros = Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right]
}
