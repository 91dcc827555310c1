import type { PdfDict } from '@libpdf/core'
import type { HashName } from '../../keys/algorithms.js'
import { UnfitDocumentError } from '../../errors.js'
import type { Kept, PdfDocument } from './pdf-document.js'

/** Of a signature about to be made, what a field can have a say in. */
export interface SeededChoice {
  readonly subFilter: string
  readonly hash: HashName
  readonly reason: string | null
}

/** Bits of `Ff`: the value is not a proposal but a condition. @see ISO 32000-1, table 234 */
const REQUIRED = { subFilter: 2, reasons: 8, digestMethod: 64 }

/** Holds a choice against what the maker of an existing field demands of its signature. */
export function rejectAgainstSeed(
  document: PdfDocument,
  field: Kept<PdfDict>,
  { subFilter, hash, reason }: SeededChoice,
): void {
  const seed = document.dictIn(field, 'SV')
  if (!seed) return
  const flags = document.numberIn(seed.object, 'Ff') ?? 0
  const demand = (bit: number, key: string, value: string, what: string) => {
    const allowed = texts(document, seed, key)
    if ((flags & bit) !== 0 && allowed.length > 0 && !allowed.includes(value)) {
      throw new UnfitDocumentError(
        `The field demands ${what} ${allowed.map((one) => JSON.stringify(one)).join(' or ')}`,
      )
    }
  }
  demand(REQUIRED.subFilter, 'SubFilter', subFilter, 'a signature of the kind')
  demand(REQUIRED.digestMethod, 'DigestMethod', hash.toUpperCase(), 'the hash algorithm')
  demand(REQUIRED.reasons, 'Reasons', reason ?? '', 'the reason')
  const certificates = document.dictIn(seed, 'Cert')
  if (certificates && (document.numberIn(certificates.object, 'Ff') ?? 0) !== 0) {
    throw new UnfitDocumentError('The field is for holders of certain certificates only')
  }
}

function texts(document: PdfDocument, seed: Kept<PdfDict>, key: string): string[] {
  const array = document.arrayIn(seed, key)
  const items = array ? [...array.object].map((item) => document.resolve(item)) : []
  return items.flatMap((item) => {
    if (item?.type === 'name') return [item.value]
    return item?.type === 'string' ? [item.asString()] : []
  })
}
