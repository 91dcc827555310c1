import type { PdfDict } from '@libpdf/core'
import type { HashName } from '../../keys/algorithms.js'
import { UnfitDocumentError } from '../../errors.js'
import type { ConformanceLevel } from '../ades.js'
import { isDict, type Kept, type PdfDocument } from './pdf-document.js'

/** Of a signature about to be made, what a field can have a say in. */
export interface SeededChoice {
  readonly filter: string
  readonly subFilter: string
  readonly hash: HashName
  readonly reason: string | null
  readonly certification: boolean
  readonly level: ConformanceLevel
  /** Whether no change is permitted from now on. */
  readonly locksDocument: boolean
}

/** What the maker of a field wants of its signature. */
export interface Seed {
  readonly dict: Kept<PdfDict>
  /** `P` of `MDP`: 0 for a signature that certifies nothing, otherwise what a certification permits; null for either. */
  readonly permission: number | null
}

export function seedOf(document: PdfDocument, field: Kept<PdfDict>): Seed | null {
  const dict = document.dictIn(field, 'SV')
  if (!dict) return null
  const kind = document.lookUp(dict.object, 'MDP')
  return { dict, permission: isDict(kind) ? document.numberIn(kind, 'P') : null }
}

/** Bits of `Ff`: the value is not a proposal but a condition. @see ISO 32000-2, table 238 */
const REQUIRED = {
  ...{ filter: 1, subFilter: 2, version: 4, reasons: 8, revocationInfo: 32, digestMethod: 64 },
  ...{ lockDocument: 128, appearanceFilter: 256 },
}

type Condition = keyof typeof REQUIRED

/** Of PDF 2.0. @see ISO 32000-2, table 237, V */
const KNOWN_VERSION = 3

/** Holds a choice against what the maker of an existing field demands of its signature. */
export function rejectAgainstSeed(document: PdfDocument, seed: Seed, choice: SeededChoice): void {
  rejectOtherKind(seed, choice)
  rejectOtherForm(document, seed, choice)
  rejectOtherReason(document, seed, choice)
  rejectLowerLevel(document, seed, choice)
  const { dict } = seed
  const isLocked = document.nameIn(dict.object, 'LockDocument') === 'true'
  if (requires(document, dict, 'lockDocument') && isLocked && !choice.locksDocument) {
    throw demand('that its signature locks the document')
  }
  if (isMandatory(document, dict, 'Cert')) {
    throw new UnfitDocumentError('The field is for holders of certain certificates only')
  }
}

/** @see ISO 32000-1, table 234, MDP */
function rejectOtherKind({ permission }: Seed, { certification }: SeededChoice): void {
  if (permission === null || permission > 0 === certification) return
  throw demand(certification ? 'no certification: Revision' : 'a certification: Certification')
}

function rejectOtherForm(document: PdfDocument, { dict }: Seed, choice: SeededChoice): void {
  const oneOf = (condition: Condition, key: string, value: string, what: string) => {
    const allowed = texts(document, dict, key)
    if (!requires(document, dict, condition) || allowed.length === 0) return
    if (!allowed.includes(value)) throw demand(`${what} ${listed(allowed)}`)
  }
  const version = document.numberIn(dict.object, 'V') ?? 0
  if (requires(document, dict, 'version') && version > KNOWN_VERSION) {
    throw new UnfitDocumentError('The field has conditions of a version that is not known here')
  }
  oneOf('filter', 'Filter', choice.filter, 'the signature handler')
  oneOf('subFilter', 'SubFilter', choice.subFilter, 'a signature of the kind')
  oneOf('digestMethod', 'DigestMethod', choice.hash.toUpperCase(), 'the hash algorithm')
  oneOf('appearanceFilter', 'AppearanceFilter', '', 'the appearance')
}

/** None may be given where there is none to choose from. @see ISO 32000-1, table 234, Reasons */
function rejectOtherReason(document: PdfDocument, { dict }: Seed, { reason }: SeededChoice): void {
  if (!requires(document, dict, 'reasons')) return
  const allowed = texts(document, dict, 'Reasons').filter((one) => one !== '.')
  if (allowed.length === 0 && reason !== null) throw demand('that no reason is given')
  if (allowed.length > 0 && !(reason !== null && allowed.includes(reason))) {
    throw demand(`the reason ${listed(allowed)}`)
  }
}

function rejectLowerLevel(document: PdfDocument, { dict }: Seed, { level }: SeededChoice): void {
  if (level === 'B-B' && isMandatory(document, dict, 'TimeStamp')) {
    throw demand('a timestamp: AdES-B-T or above')
  }
  const revocation = document.lookUp(dict.object, 'AddRevInfo')
  const isWanted = revocation?.type === 'bool' && revocation.value
  const isThere = level === 'B-LT' || level === 'B-LTA'
  if (requires(document, dict, 'revocationInfo') && isWanted && !isThere) {
    throw demand('revocation data: AdES-B-LT or above')
  }
}

function demand(what: string): UnfitDocumentError {
  return new UnfitDocumentError(`The field demands ${what}`)
}

function listed(allowed: readonly string[]): string {
  return allowed.map((one) => JSON.stringify(one)).join(' or ')
}

function requires(document: PdfDocument, seed: Kept<PdfDict>, condition: Condition): boolean {
  return ((document.numberIn(seed.object, 'Ff') ?? 0) & REQUIRED[condition]) !== 0
}

/** Of conditions with flags of their own. */
function isMandatory(document: PdfDocument, seed: Kept<PdfDict>, key: string): boolean {
  const inner = document.dictIn(seed, key)
  return inner !== null && (document.numberIn(inner.object, 'Ff') ?? 0) !== 0
}

/** One, or those in an array. */
function texts(document: PdfDocument, seed: Kept<PdfDict>, key: string): string[] {
  const value = document.lookUp(seed.object, key)
  const items = value?.type === 'array' ? [...value].map((item) => document.resolve(item)) : [value]
  return items.flatMap((item) => {
    if (item?.type === 'name') return [item.value]
    return item?.type === 'string' ? [item.asString()] : []
  })
}
