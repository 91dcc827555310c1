import { PdfArray, PdfDict, PdfRef, PdfStream, type PdfObject } from '@libpdf/core'
import { isDict, type PdfDocument } from '../../documents/pades/pdf-document.js'

/** Deeper than anything honest; what is deeper counts as different. */
const DEEPEST = 500
/** Members that point up or across. They have to name the same object, which is compared elsewhere. */
const LINKS: ReadonlySet<string> = new Set(['Parent', 'P', 'Pg', 'Obj', 'Popup', 'IRT'])

/** Compares what an earlier and a later revision of a PDF show, whatever objects they keep it in. */
export class PdfComparison {
  readonly earlier: PdfDocument
  readonly later: PdfDocument
  /** Pairs found equal, with all that is below them. */
  readonly #equal = new Set<string>()

  constructor(earlier: PdfDocument, later: PdfDocument) {
    this.earlier = earlier
    this.later = later
  }

  isSame(one: PdfObject | undefined, other: PdfObject | undefined): boolean {
    // Pairs under way count as equal; that is kept only if all of them turn out to be.
    const underWay = new Set<string>()
    const same = this.#isSame(one, other, underWay, 0)
    if (same) for (const pair of underWay) this.#equal.add(pair)
    return same
  }

  /** Keys whose values differ, except `ignored`. */
  differences(one: PdfDict, other: PdfDict, ignored: readonly string[] = []): string[] {
    const [before, after] = [entriesOf(one), entriesOf(other)]
    const keys = new Set([...before.keys(), ...after.keys()])
    return [...keys].filter(
      (key) => !ignored.includes(key) && !this.#isSameMember(key, before.get(key), after.get(key)),
    )
  }

  #isSameMember(key: string, one: PdfObject | undefined, other: PdfObject | undefined): boolean {
    return LINKS.has(key) && one instanceof PdfRef && other instanceof PdfRef
      ? one.objectNumber === other.objectNumber
      : this.isSame(one, other)
  }

  #isSame(
    one: PdfObject | undefined,
    other: PdfObject | undefined,
    underWay: Set<string>,
    depth: number,
  ): boolean {
    if (depth > DEEPEST) return false
    if (one instanceof PdfRef && other instanceof PdfRef) {
      const pair = `${one.objectNumber} ${other.objectNumber}`
      if (this.#equal.has(pair) || underWay.has(pair)) return true
      underWay.add(pair)
    }
    const [before, after] = [this.earlier.resolve(one), this.later.resolve(other)]
    if (before === undefined || after === undefined) return isNothing(before) && isNothing(after)
    if (before.type !== after.type) return false
    if (before instanceof PdfStream && after instanceof PdfStream) {
      return (
        Buffer.compare(before.data, after.data) === 0 &&
        this.#areSameMembers(before, after, underWay, depth)
      )
    }
    if (before instanceof PdfDict && after instanceof PdfDict) {
      if (isSamePage(one, other, before, after)) return true
      return this.#areSameMembers(before, after, underWay, depth)
    }
    if (before instanceof PdfArray && after instanceof PdfArray) {
      const items = [...after]
      return (
        before.length === after.length &&
        [...before].every((item, at) => this.#isSame(item, items[at], underWay, depth + 1))
      )
    }
    return isSameScalar(before, after)
  }

  #areSameMembers(one: PdfDict, other: PdfDict, underWay: Set<string>, depth: number): boolean {
    const [before, after] = [entriesOf(one), entriesOf(other)]
    if (before.size !== after.size) return false
    return [...before].every(([key, value]) => {
      const counterpart = after.get(key)
      if (LINKS.has(key) && value instanceof PdfRef && counterpart instanceof PdfRef) {
        return value.objectNumber === counterpart.objectNumber
      }
      return counterpart !== undefined && this.#isSame(value, counterpart, underWay, depth + 1)
    })
  }
}

/** Destinations and outlines lead to pages. Those of the page tree are compared from there. */
function isSamePage(
  one: PdfObject | undefined,
  other: PdfObject | undefined,
  before: PdfDict,
  after: PdfDict,
): boolean {
  if (!(one instanceof PdfRef) || !(other instanceof PdfRef)) return false
  return one.objectNumber === other.objectNumber && isPage(before) && isPage(after)
}

function isPage(dict: PdfDict): boolean {
  const type = entriesOf(dict).get('Type')
  return isDict(dict) && type?.type === 'name' && type.value === 'Page'
}

export function entriesOf(dict: PdfDict): Map<string, PdfObject> {
  return new Map([...dict].map(([name, value]) => [name.value, value]))
}

function isNothing(object: PdfObject | undefined): boolean {
  return object === undefined || object.type === 'null'
}

function isSameScalar(one: PdfObject, other: PdfObject): boolean {
  if (one.type === 'string' && other.type === 'string') {
    return Buffer.compare(one.bytes, other.bytes) === 0
  }
  if (one.type === 'null') return true
  return 'value' in one && 'value' in other && one.value === other.value
}
