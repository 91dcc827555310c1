import * as asn1js from 'asn1js'
import { isDer } from './der.js'

/** One element of DER, read; null for everything else, also for times that are none. */
export function readDer(bytes: Buffer): asn1js.AsnType | null {
  if (!isDer(bytes)) return null
  try {
    const { result, offset } = asn1js.fromBER(bytes)
    return offset === bytes.length ? result : null
  } catch {
    return null
  }
}
