import type { KeyObject } from 'node:crypto'
import type { SignatureMethod } from '../certificates/signature-method.js'

/**
 * Until when an algorithm is trusted, after TS 119 312 V1.5.1 and SOG-IS; null for no end in sight, and what
 * is not here is not trusted at all. A signature proven to be older than the end of its algorithms stays good.
 */
const HASHES: Readonly<Record<string, Date | null>> = {
  sha224: new Date('2026-01-01T00:00:00Z'),
  sha256: null,
  sha384: null,
  sha512: null,
  'sha512-256': null,
  'sha3-256': null,
  'sha3-384': null,
  'sha3-512': null,
}

/** RSA moduli of at least so many bits. The shortest has an end. */
const RSA_BITS: readonly { readonly bits: number; readonly until: Date | null }[] = [
  { bits: 3000, until: null },
  { bits: 2048, until: new Date('2029-01-01T00:00:00Z') },
]

const CURVES: ReadonlySet<string> = new Set([
  ...['prime256v1', 'secp384r1', 'secp521r1'],
  ...['brainpoolP256r1', 'brainpoolP384r1', 'brainpoolP512r1'],
])

const LEAST_RSA_EXPONENT = 3n

/** What of it was not to be trusted at `time`, in words; null when all was. */
export function weakness(method: SignatureMethod, key: KeyObject, time: Date): string | null {
  return (method.hash === null ? null : weakHash(method.hash, time)) ?? weakKey(key, time)
}

export function weakHash(hash: string, time: Date): string | null {
  const until = HASHES[hash]
  if (until === undefined) return hash.toUpperCase()
  return until !== null && time >= until ? hash.toUpperCase() : null
}

function weakKey(key: KeyObject, time: Date): string | null {
  const { asymmetricKeyType: type = '', asymmetricKeyDetails: details = {} } = key
  switch (type) {
    case 'rsa':
    case 'rsa-pss': {
      const { modulusLength: bits = 0, publicExponent = 0n } = details
      const row = RSA_BITS.find((each) => bits >= each.bits)
      const isOver = row?.until !== null && row?.until !== undefined && time >= row.until
      const isWeak = row === undefined || isOver || publicExponent < LEAST_RSA_EXPONENT
      return isWeak ? `RSA ${bits}` : null
    }
    case 'ec':
      return CURVES.has(details.namedCurve ?? '') ? null : `EC ${details.namedCurve ?? '?'}`
    case 'ed25519':
    case 'ed448':
      return null
    default:
      return type.toUpperCase()
  }
}

/** As reports name a key. */
export function keyText(key: KeyObject): string {
  const { asymmetricKeyType: type = '?', asymmetricKeyDetails: details = {} } = key
  if (type.startsWith('rsa')) return `RSA ${details.modulusLength ?? '?'}`
  return type === 'ec' ? `EC ${details.namedCurve ?? '?'}` : type
}
