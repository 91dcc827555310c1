import { PdfArray, PdfDict, PdfRef, type PdfObject } from '@libpdf/core'
import { entry, isDict, type PdfDocument } from '../../documents/pades/pdf-document.js'
import type { DocumentChange } from '../evidence.js'
import { entriesOf, PdfComparison } from './pdf-comparison.js'

export type Change = Omit<DocumentChange, 'allowed'>

const MOST_CHANGES = 50
const MOST_NODES = 100_000
const DEEPEST_TREE = 100

/**
 * What an update of a PDF did to what people see and fill in, by kind. What is not known to be harmless is
 * `other`.
 */
export function changesBetween(earlier: PdfDocument, later: PdfDocument): Change[] {
  const changes = new ChangeList(new PdfComparison(earlier, later))
  changes.compareDocuments()
  return changes.found
}

class ChangeList {
  readonly #comparison: PdfComparison
  readonly #earlier: PdfDocument
  readonly #later: PdfDocument
  readonly #seen = new Set<string>()
  /** Object numbers of the widgets and fields that the form accounts for. */
  readonly #fields = new Set<number>()
  readonly found: Change[] = []
  #nodes = 0

  constructor(comparison: PdfComparison) {
    this.#comparison = comparison
    this.#earlier = comparison.earlier
    this.#later = comparison.later
  }

  compareDocuments(): void {
    const [before, after] = [this.#earlier.catalog, this.#later.catalog]
    if (before.home.objectNumber !== after.home.objectNumber) this.#add('other', 'Root')
    const encryption = this.#comparison.differences(this.#earlier.trailer, this.#later.trailer, [
      ...['Root', 'Info', 'Size', 'Prev', 'ID', 'XRefStm', 'Type', 'W', 'Index', 'Length'],
      ...['Filter', 'DecodeParms'],
    ])
    for (const key of encryption) this.#add('other', key)
    const info = [entry(this.#earlier.trailer, 'Info'), entry(this.#later.trailer, 'Info')]
    if (!this.#comparison.isSame(info[0], info[1])) this.#add('metadata', 'Info')
    const members = this.#comparison.differences(before.object, after.object, ['Pages', 'AcroForm'])
    for (const key of members) this.#add(CATALOG_CHANGES[key] ?? 'other', key)
    this.#compareForm()
    this.#comparePages(entry(before.object, 'Pages'), entry(after.object, 'Pages'), 0)
  }

  #add(kind: Change['kind'], about: string): void {
    const key = `${kind} ${about}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    // Whatever else there is, one that forbids itself must not get lost.
    if (this.found.length < MOST_CHANGES || kind === 'other') this.found.push({ kind, about })
  }

  #count(depth: number): boolean {
    this.#nodes += 1
    if (this.#nodes <= MOST_NODES && depth <= DEEPEST_TREE) return true
    this.#add('other', 'size')
    return false
  }

  #compareForm(): void {
    const [before, after] = [
      this.#earlier.lookUp(this.#earlier.catalog.object, 'AcroForm'),
      this.#later.lookUp(this.#later.catalog.object, 'AcroForm'),
    ]
    if (!isDict(after)) {
      if (isDict(before)) this.#add('other', 'AcroForm')
      return
    }
    const old = isDict(before) ? before : new PdfDict()
    for (const key of this.#comparison.differences(old, after, ['Fields', 'SigFlags'])) {
      const isAdded = this.#isExtended(entry(old, key), entry(after, key))
      this.#add(isAdded && key !== 'NeedAppearances' && key !== 'XFA' ? 'form' : 'other', key)
    }
    this.#compareFields(
      itemsOf(this.#earlier, old, 'Fields'),
      itemsOf(this.#later, after, 'Fields'),
      { above: '', depth: 0, signedNow: false },
    )
  }

  /** Whether all that was there is there still, as with resources for one more appearance. */
  #isExtended(one: PdfObject | undefined, other: PdfObject | undefined, depth = 0): boolean {
    const [before, after] = [this.#earlier.resolve(one), this.#later.resolve(other)]
    if (before === undefined) return true
    if (!isDict(before) || !isDict(after) || depth > 4) return this.#comparison.isSame(one, other)
    const later = entriesOf(after)
    return [...entriesOf(before)].every(([key, value]) =>
      this.#isExtended(value, later.get(key), depth + 1),
    )
  }

  #compareFields(
    before: readonly PdfObject[],
    after: readonly PdfObject[],
    { above, depth, signedNow }: Place,
  ): void {
    const earlier = new Map(before.map((field) => [numberOf(field), field]))
    for (const field of after) {
      if (!this.#count(depth)) return
      const dict = this.#later.resolve(field)
      const number = numberOf(field)
      if (!isDict(dict) || number === null) {
        this.#add('other', above || 'Fields')
        continue
      }
      this.#fields.add(number)
      const name = nameOf(this.#later, dict, above)
      const old = earlier.get(number)
      const known = old && this.#earlier.resolve(old)
      earlier.delete(number)
      if (isDict(known)) this.#compareField(known, dict, { above: name, depth, signedNow })
      else this.#addedField(dict, name)
    }
    for (const [, field] of earlier) {
      const dict = this.#earlier.resolve(field)
      this.#add('other', isDict(dict) ? nameOf(this.#earlier, dict, above) : above)
    }
  }

  #compareField(before: PdfDict, after: PdfDict, { above: name, depth, signedNow }: Place): void {
    const changed = this.#comparison.differences(before, after, ['Kids', 'Parent', 'P'])
    const isSignature = fieldType(this.#later, after) === 'Sig'
    const [hadValue, hasValue] = [before, after].map((each, at) =>
      isDict((at === 0 ? this.#earlier : this.#later).lookUp(each, 'V')),
    )
    // What a signature field says, and how it looks, may change once: when it is signed.
    const isSigned = isSignature && ((!hadValue && hasValue === true) || signedNow)
    if (isSignature) {
      if (changed.some((key) => !isSigned || !SIGNING.has(key))) this.#add('other', name)
      else if (isSigned && !signedNow) this.#add(signatureKind(this.#later, after), name)
    } else if (changed.length > 0) {
      this.#add(changed.every((key) => FILLING.has(key)) ? 'form' : 'other', name)
    }
    const kids = [
      itemsOf(this.#earlier, before, 'Kids'),
      itemsOf(this.#later, after, 'Kids'),
    ] as const
    if (kids[0].length > 0 || kids[1].length > 0) {
      const below = { above: name, depth: depth + 1, signedNow: isSigned }
      this.#compareFields(kids[0], kids[1], below)
    }
  }

  #addedField(dict: PdfDict, name: string): void {
    const isSignature = fieldType(this.#later, dict) === 'Sig'
    for (const kid of itemsOf(this.#later, dict, 'Kids')) this.#fields.add(numberOf(kid) ?? -1)
    if (!isSignature) this.#add('other', name)
    else this.#add(signatureKind(this.#later, dict), name)
  }

  #comparePages(one: PdfObject | undefined, other: PdfObject | undefined, depth: number): void {
    if (!this.#count(depth)) return
    const [before, after] = [this.#earlier.resolve(one), this.#later.resolve(other)]
    if (!isDict(before) || !isDict(after) || numberOf(one) !== numberOf(other)) {
      this.#add('other', 'Pages')
      return
    }
    const ignored = ['Kids', 'Annots', 'Parent', 'Metadata']
    for (const key of this.#comparison.differences(before, after, ignored)) {
      this.#add('other', `${pageText(one)} ${key}`)
    }
    const kids = [
      itemsOf(this.#earlier, before, 'Kids'),
      itemsOf(this.#later, after, 'Kids'),
    ] as const
    if (kids[0].length !== kids[1].length) this.#add('other', 'Pages')
    for (const [at, kid] of kids[0].entries()) this.#comparePages(kid, kids[1][at], depth + 1)
    this.#compareAnnotations(before, after, pageText(one))
  }

  #compareAnnotations(before: PdfDict, after: PdfDict, page: string): void {
    const later = itemsOf(this.#later, after, 'Annots')
    const earlier = new Map(
      itemsOf(this.#earlier, before, 'Annots').map((each, at) => [
        numberOf(each) ?? `#${at}`,
        each,
      ]),
    )
    for (const [at, annotation] of later.entries()) {
      if (!this.#count(0)) return
      const number = numberOf(annotation)
      const old = earlier.get(number ?? `#${at}`)
      earlier.delete(number ?? `#${at}`)
      if (number !== null && this.#fields.has(number)) continue // the form told of it
      if (old !== undefined && this.#comparison.isSame(old, annotation)) continue
      const dict = this.#later.resolve(annotation)
      const isWidget = isDict(dict) && this.#later.nameIn(dict, 'Subtype') === 'Widget'
      this.#add(isWidget ? 'other' : 'annotation', page)
    }
    for (const [, annotation] of earlier) {
      const dict = this.#earlier.resolve(annotation)
      const isWidget = isDict(dict) && this.#earlier.nameIn(dict, 'Subtype') === 'Widget'
      this.#add(isWidget ? 'other' : 'annotation', page)
    }
  }
}

/** Where in the tree of fields. */
interface Place {
  /** Name of the field above. */
  readonly above: string
  readonly depth: number
  /** Whether that field was signed by this update. */
  readonly signedNow: boolean
}

/** Members of the catalog that may change. */
const CATALOG_CHANGES: Readonly<Partial<Record<string, Change['kind']>>> = {
  DSS: 'validation-data',
  Extensions: 'validation-data',
  Version: 'validation-data',
  Metadata: 'metadata',
}

/** What signing a field changes of it. */
const SIGNING: ReadonlySet<string> = new Set([
  'V',
  'AP',
  'AS',
  'F',
  'M',
  'MK',
  'DA',
  'Type',
  'Subtype',
])
/** What filling in a field changes of it. */
const FILLING: ReadonlySet<string> = new Set(['V', 'AP', 'AS', 'I', 'M', 'MK', 'RV'])

function itemsOf(document: PdfDocument, dict: PdfDict, key: string): PdfObject[] {
  const array = document.lookUp(dict, key)
  return array instanceof PdfArray ? [...array] : []
}

function numberOf(object: PdfObject | undefined): number | null {
  return object instanceof PdfRef ? object.objectNumber : null
}

function pageText(object: PdfObject | undefined): string {
  return `page object ${numberOf(object) ?? '?'}`
}

function nameOf(document: PdfDocument, field: PdfDict, above: string): string {
  const partial = document.textIn(field, 'T')
  if (partial === null) return above || '?'
  return above === '' ? partial : `${above}.${partial}`
}

/** The type, which children have from those above them. */
function fieldType(document: PdfDocument, field: PdfDict): string | null {
  let node: PdfObject | undefined = field
  for (let depth = 0; depth < DEEPEST_TREE && isDict(node); depth += 1) {
    const type = document.nameIn(node, 'FT')
    if (type !== null) return type
    node = document.lookUp(node, 'Parent')
  }
  return null
}

function signatureKind(document: PdfDocument, field: PdfDict): Change['kind'] {
  const value = document.lookUp(field, 'V')
  const isTimestamp = isDict(value) && document.nameIn(value, 'Type') === 'DocTimeStamp'
  return isTimestamp ? 'timestamp' : 'signature'
}
