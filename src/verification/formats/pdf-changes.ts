import { PdfArray, PdfDict, PdfRef, PdfStream, type PdfObject } from '@libpdf/core'
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
  /** Widgets and fields, by object number, that were there before; the form tells how they changed. */
  readonly #fields = new Set<number>()
  /** Those that are signed by this update, and those that came with it. */
  readonly #signed = new Set<number>()
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
      { above: '', type: null, depth: 0, signedNow: false },
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

  #compareFields(before: readonly PdfObject[], after: readonly PdfObject[], place: Place): void {
    const { above, depth } = place
    const earlier = new Map(before.map((field) => [numberOf(field), field]))
    for (const field of after) {
      if (!this.#count(depth)) return
      const dict = this.#later.resolve(field)
      const number = numberOf(field)
      if (!isDict(dict) || number === null) {
        this.#add('other', above || 'Fields')
        continue
      }
      const old = earlier.get(number)
      const known = old && this.#earlier.resolve(old)
      earlier.delete(number)
      if (isDict(known)) this.#compareField(number, known, dict, place)
      else this.#addedField(number, dict, place)
    }
    for (const [, field] of earlier) {
      const dict = this.#earlier.resolve(field)
      this.#add('other', isDict(dict) ? nameOf(this.#earlier, dict, above) : above)
    }
  }

  #compareField(number: number, before: PdfDict, after: PdfDict, place: Place): void {
    const name = nameOf(this.#later, after, place.above)
    const type = this.#later.nameIn(after, 'FT') ?? place.type
    const changed = this.#comparison.differences(before, after, ['Kids', 'P'])
    const hadValue = isDict(this.#earlier.lookUp(before, 'V'))
    // What a signature field says, and how it looks, may change once: when it is signed.
    const isSigned = type === 'Sig' && !hadValue && this.#isSigned(after, place)
    this.#fields.add(number)
    if (isSigned || place.signedNow) this.#signed.add(number)
    if (type === 'Sig') {
      if (changed.some((key) => !(isSigned || place.signedNow) || !SIGNING.has(key))) {
        this.#add('other', name)
      } else if (isSigned) this.#signedField(after, name)
    } else if (changed.length > 0) {
      this.#add(changed.every((key) => FILLING.has(key)) ? 'form' : 'other', name)
    }
    const below = { above: name, type, depth: place.depth + 1 }
    const kids = [
      itemsOf(this.#earlier, before, 'Kids'),
      itemsOf(this.#later, after, 'Kids'),
    ] as const
    if (kids[0].length > 0 || kids[1].length > 0) {
      this.#compareFields(...kids, { ...below, signedNow: isSigned || place.signedNow })
    }
  }

  /** Whether its value is one that is judged as a signature: a widget without a name is no field. */
  #isSigned(field: PdfDict, { depth }: Place): boolean {
    const isField = depth === 0 || entry(field, 'T') !== undefined
    return isField && isDict(this.#later.lookUp(field, 'V'))
  }

  /** A timestamp says nothing by itself: what it shows is shown by whoever put it there. */
  #signedField(field: PdfDict, name: string): void {
    const isSilent = isTimestamp(this.#later, field)
    const isSeen = this.#widgetsOf(field).some((widget) => shows(this.#later, widget))
    this.#add(isSilent && !isSeen ? 'timestamp' : 'signature', name)
  }

  #addedField(number: number, dict: PdfDict, place: Place): void {
    const name = nameOf(this.#later, dict, place.above)
    const type = this.#later.nameIn(dict, 'FT') ?? place.type
    const widgets = this.#widgetsOf(dict)
    this.#signed.add(number)
    for (const kid of itemsOf(this.#later, dict, 'Kids')) this.#signed.add(numberOf(kid) ?? -1)
    const isSeen = widgets.some((widget) => shows(this.#later, widget))
    const acts = [dict, ...widgets].some((each) => entry(each, 'A') ?? entry(each, 'AA'))
    if (type !== 'Sig' || acts) this.#add('other', name)
    else if (this.#isSigned(dict, place)) this.#addedSignature(dict, name, isSeen)
    // One more look of what is signed already, or of what nobody signed, is somebody's note.
    else this.#add(isSeen && !place.signedNow ? 'annotation' : 'signature', name)
  }

  #addedSignature(field: PdfDict, name: string, isSeen: boolean): void {
    if (!isTimestamp(this.#later, field)) this.#add('signature', name)
    else this.#add(isSeen ? 'annotation' : 'timestamp', name)
  }

  /** Where a field is seen: itself, or what is below it. */
  #widgetsOf(field: PdfDict): PdfDict[] {
    const kids = itemsOf(this.#later, field, 'Kids').map((kid) => this.#later.resolve(kid))
    return [field, ...kids.filter(isDict)]
  }

  #comparePages(one: PdfObject | undefined, other: PdfObject | undefined, depth: number): void {
    if (!this.#count(depth)) return
    const [before, after] = [this.#earlier.resolve(one), this.#later.resolve(other)]
    if (!isDict(before) || !isDict(after) || numberOf(one) !== numberOf(other)) {
      this.#add('other', 'Pages')
      return
    }
    for (const key of this.#comparison.differences(before, after, ['Kids', 'Annots'])) {
      const isMetadata = key === 'Metadata' && isDescription(this.#later.lookUp(after, key))
      this.#add(isMetadata ? 'metadata' : 'other', `${pageText(one)} ${key}`)
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
    const keys = itemsOf(this.#earlier, before, 'Annots').map(keyOf)
    const earlier = new Map(
      itemsOf(this.#earlier, before, 'Annots').map((each, at) => [keyOf(each, at), each]),
    )
    // What is drawn later covers what is drawn before it.
    const kept = later.map(keyOf).filter((key) => earlier.has(key))
    if (!isInOrder(kept, keys)) this.#add('annotation', page)
    for (const [at, annotation] of later.entries()) {
      if (!this.#count(0)) return
      const old = earlier.get(keyOf(annotation, at))
      earlier.delete(keyOf(annotation, at))
      const dict = this.#later.resolve(annotation)
      const isWidget = isDict(dict) && this.#later.nameIn(dict, 'Subtype') === 'Widget'
      if (isWidget && this.#isTold(numberOf(annotation), old !== undefined)) continue
      if (old !== undefined && this.#comparison.isSame(old, annotation)) continue
      this.#add(isWidget ? 'other' : 'annotation', page)
    }
    for (const [, annotation] of earlier) {
      const dict = this.#earlier.resolve(annotation)
      const isWidget = isDict(dict) && this.#earlier.nameIn(dict, 'Subtype') === 'Widget'
      this.#add(isWidget ? 'other' : 'annotation', page)
    }
  }

  /** Whether the form told of a widget: it was there before as what it is, or is of a new signature. */
  #isTold(number: number | null, wasThere: boolean): boolean {
    if (number === null) return false
    return wasThere ? this.#fields.has(number) : this.#signed.has(number)
  }
}

/** Where in the tree of fields. */
interface Place {
  /** Name of the field above. */
  readonly above: string
  /** Type of the field above, which those below have from it. */
  readonly type: string | null
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

function isTimestamp(document: PdfDocument, field: PdfDict): boolean {
  const value = document.lookUp(field, 'V')
  return isDict(value) && document.nameIn(value, 'SubFilter') === 'ETSI.RFC3161'
}

/** Whether something of an annotation is seen on its page. */
function shows(document: PdfDocument, annotation: PdfDict): boolean {
  const looks = document.lookUp(annotation, 'AP')
  const isDrawn =
    isDict(looks) && [...entriesOf(looks).values()].some((look) => !isBlank(document, look))
  if (!isDrawn && !entry(annotation, 'MK')) return false
  const [left = 0, bottom = 0, right = 0, top = 0] = document.numbersIn(annotation, 'Rect') ?? []
  return left !== right && bottom !== top
}

/** Fields that wait for a signature have a look that draws nothing. */
function isBlank(document: PdfDocument, look: PdfObject): boolean {
  const stream = document.resolve(look)
  return stream instanceof PdfStream && stream.data.length === 0 && !entry(stream, 'F')
}

/** XMP, and nothing that a page could draw. */
function isDescription(object: PdfObject | undefined): boolean {
  if (object === undefined) return true
  const subtype = object instanceof PdfStream ? entry(object, 'Subtype') : undefined
  return subtype?.type === 'name' && subtype.value === 'XML'
}

function keyOf(annotation: PdfObject, at: number): number | string {
  return numberOf(annotation) ?? `#${at}`
}

/** Whether the first list has the order of the second, which has all of its members. */
function isInOrder(some: readonly unknown[], all: readonly unknown[]): boolean {
  const places = new Map(all.map((each, at) => [each, at]))
  const found = some.map((each) => places.get(each) ?? -1)
  return found.every((place, at) => at === 0 || place >= (found[at - 1] ?? 0))
}
