import { PdfArray, PdfDict, PdfRef, PdfStream, type PdfObject } from '@libpdf/core'
import { entry, isDict, type PdfDocument } from '../../documents/pades/pdf-document.js'

/** Members that point up or across, to what is compared where it belongs. */
const LINKS: ReadonlySet<string> = new Set(['Parent', 'P', 'Pg', 'Obj', 'Popup', 'IRT'])
/** More objects than pages, annotations and fields of honest documents. */
const MOST_PLACES = 200_000

type Pair = readonly [one: PdfObject | undefined, other: PdfObject | undefined]

/** Compares what an earlier and a later revision of a PDF show, whatever objects they keep it in. */
export class PdfComparison {
  readonly earlier: PdfDocument
  readonly later: PdfDocument
  readonly #places: Places
  /** Pairs found equal, with all that is below them. */
  readonly #equal = new Set<string>()

  constructor(earlier: PdfDocument, later: PdfDocument) {
    this.earlier = earlier
    this.later = later
    this.#places = placesIn(earlier)
  }

  isSame(one: PdfObject | undefined, other: PdfObject | undefined): boolean {
    // Pairs under way count as equal; that is kept only if all of them turn out to be.
    const underWay = new Set<string>()
    const waiting: Pair[] = [[one, other]]
    for (let pair = waiting.pop(); pair; pair = waiting.pop()) {
      if (this.#isKnown(pair, underWay)) continue
      const members = this.#membersIfAlike(pair)
      if (members === null) return false
      // One by one: a document may have more of them than a call may have arguments.
      for (const member of members) waiting.push(member)
    }
    for (const pair of underWay) this.#equal.add(pair)
    return true
  }

  /** Keys whose values differ, except `ignored`. */
  differences(one: PdfDict, other: PdfDict, ignored: readonly string[] = []): string[] {
    const [before, after] = [entriesOf(one), entriesOf(other)]
    const keys = new Set([...before.keys(), ...after.keys()])
    return [...keys].filter((key) => {
      if (ignored.includes(key)) return false
      const pair = [before.get(key), after.get(key)] as const
      return !this.#isLink(key, pair) && !this.isSame(...pair)
    })
  }

  #isKnown([one, other]: Pair, underWay: Set<string>): boolean {
    if (!(one instanceof PdfRef) || !(other instanceof PdfRef)) return false
    const pair = `${one.objectNumber} ${one.generation} ${other.objectNumber} ${other.generation}`
    if (this.#equal.has(pair) || underWay.has(pair)) return true
    underWay.add(pair)
    // Destinations and outlines lead to pages, which are compared from their tree; locks to the catalog.
    return one.objectNumber === other.objectNumber && this.#places.pages.has(one.objectNumber)
  }

  /** Whether it names the same page, annotation or field: those are compared where they belong. */
  #isLink(key: string, [one, other]: Pair): boolean {
    if (!LINKS.has(key) || !(one instanceof PdfRef) || !(other instanceof PdfRef)) return false
    const { objectNumber } = one
    const { pages, others } = this.#places
    return (
      objectNumber === other.objectNumber && (pages.has(objectNumber) || others.has(objectNumber))
    )
  }

  /** What has to be equal for two objects to be; null when they are not, whatever is in them. */
  #membersIfAlike([one, other]: Pair): Pair[] | null {
    const [before, after] = [this.earlier.resolve(one), this.later.resolve(other)]
    if (before === undefined || after === undefined) {
      return isNothing(before) && isNothing(after) ? [] : null
    }
    if (before.type !== after.type) return null
    if (before instanceof PdfDict && after instanceof PdfDict) {
      return hasSameData(before, after) ? this.#memberPairs(before, after) : null
    }
    if (before instanceof PdfArray && after instanceof PdfArray) {
      const items = [...after]
      return before.length === after.length
        ? [...before].map((item, at): Pair => [item, items[at]])
        : null
    }
    return isSameScalar(before, after) ? [] : null
  }

  #memberPairs(one: PdfDict, other: PdfDict): Pair[] | null {
    const [before, after] = [entriesOf(one), entriesOf(other)]
    if (before.size !== after.size || [...before.keys()].some((key) => !after.has(key))) return null
    return [...before].flatMap(([key, value]): Pair[] => {
      const pair = [value, after.get(key)] as const
      return this.#isLink(key, pair) ? [] : [pair]
    })
  }
}

/** Numbers of the objects that are compared where they belong, in the tree of pages or the form. */
interface Places {
  /** With the nodes above them, up to the catalog. */
  readonly pages: ReadonlySet<number>
  /** Annotations and fields. */
  readonly others: ReadonlySet<number>
}

/** By the trees alone: what an object says that it is, anybody can write into it. */
function placesIn(document: PdfDocument): Places {
  const { object: catalog } = document.catalog
  const form = document.lookUp(catalog, 'AcroForm')
  const pages = new Set<number>()
  const others = new Set<number>()
  below(document, [entry(catalog, 'Pages')], pages)
  if (isDict(form)) below(document, [entry(form, 'Fields')], others)
  for (const number of pages) {
    const page = document.resolve(PdfRef.of(number))
    const annotations = isDict(page) ? document.lookUp(page, 'Annots') : undefined
    if (!(annotations instanceof PdfArray)) continue
    for (const each of annotations) {
      if (isDict(document.resolve(each)) && each instanceof PdfRef) others.add(each.objectNumber)
    }
  }
  pages.add(document.catalog.home.objectNumber)
  return { pages, others }
}

/** Adds the dictionaries that `Kids` lead to. */
function below(
  document: PdfDocument,
  roots: readonly (PdfObject | undefined)[],
  numbers: Set<number>,
): void {
  const waiting = [...roots]
  while (waiting.length > 0 && numbers.size < MOST_PLACES) {
    const item = waiting.pop()
    const object = document.resolve(item)
    if (item instanceof PdfRef && isDict(object)) {
      if (numbers.has(item.objectNumber)) continue
      numbers.add(item.objectNumber)
    }
    if (object instanceof PdfArray) for (const each of object) waiting.push(each)
    if (isDict(object)) waiting.push(entry(object, 'Kids'))
  }
}

function hasSameData(one: PdfDict, other: PdfDict): boolean {
  if (!(one instanceof PdfStream) || !(other instanceof PdfStream)) return true
  return Buffer.compare(one.data, other.data) === 0
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
