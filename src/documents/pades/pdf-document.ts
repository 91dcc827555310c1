import { PDF, type PdfArray, PdfDict, PdfName, type PdfObject, PdfRef } from '@libpdf/core'
import { UnfitDocumentError } from '../../errors.js'
import { limitInflation } from './inflation.js'
import { takeWideCrossReferences } from './wide-cross-references.js'

/** An object, and the indirect object it lives in: what has to be written anew when it changes. */
export interface Kept<T extends PdfObject> {
  readonly object: T
  readonly home: PdfRef
}

/** Where the newest cross-reference section begins, and in which of its two forms it is. */
export interface CrossReference {
  readonly offset: number
  readonly isStream: boolean
}

/** More levels than page and field trees of honest documents have. */
const DEEPEST_TREE = 64
const MOST_TREE_NODES = 200_000

/**
 * A PDF opened for signing. Nothing about it is repaired: an update appended to a file whose
 * structure has to be guessed means one thing to one reader and another to the next.
 */
export class PdfDocument {
  readonly bytes: Uint8Array
  readonly pdf: PDF
  crossReference: CrossReference

  private constructor(bytes: Uint8Array, pdf: PDF, crossReference: CrossReference) {
    this.bytes = bytes
    this.pdf = pdf
    this.crossReference = crossReference
  }

  static async open(bytes: Uint8Array): Promise<PdfDocument> {
    rejectOtherFiles(bytes)
    limitInflation()
    takeWideCrossReferences()
    const crossReference = findCrossReference(bytes)
    const document = new PdfDocument(bytes, await parse(bytes), crossReference)
    document.#rejectUnopened()
    return document
  }

  get trailer(): PdfDict {
    return this.pdf.context.info.trailer
  }

  get catalog(): Kept<PdfDict> {
    const home = entry(this.trailer, 'Root')
    const object = this.resolve(home)
    if (!(home instanceof PdfRef) || !isDict(object)) throw damaged('it has no catalog')
    return { object, home }
  }

  /** The object itself where it is a reference. */
  resolve(object: PdfObject | undefined): PdfObject | undefined {
    if (!(object instanceof PdfRef)) return object
    try {
      return this.pdf.context.registry.resolve(object) ?? undefined
    } catch (error) {
      if (error instanceof UnfitDocumentError) throw error
      throw damaged('an object in it cannot be read', { cause: error })
    }
  }

  lookUp(dict: PdfDict, key: string): PdfObject | undefined {
    return this.resolve(entry(dict, key))
  }

  dictIn(parent: Kept<PdfDict>, key: string): Kept<PdfDict> | null {
    return this.#dictAt(entry(parent.object, key), parent.home)
  }

  arrayIn(parent: Kept<PdfDict>, key: string): Kept<PdfArray> | null {
    const value = entry(parent.object, key)
    const object = this.resolve(value)
    if (object?.type !== 'array') return null
    return { object, home: value instanceof PdfRef ? value : parent.home }
  }

  /** The dictionaries in an array, wherever they are kept. */
  dictsIn(parent: Kept<PdfDict>, key: string): Kept<PdfDict>[] {
    const array = this.arrayIn(parent, key)
    if (!array) return []
    const dicts = [...array.object].map((item) => this.#dictAt(item, array.home))
    return dicts.filter((dict) => dict !== null)
  }

  nameIn(dict: PdfDict, key: string): string | null {
    const value = this.lookUp(dict, key)
    return value?.type === 'name' ? value.value : null
  }

  numberIn(dict: PdfDict, key: string): number | null {
    const value = this.lookUp(dict, key)
    return value?.type === 'number' ? value.value : null
  }

  textIn(dict: PdfDict, key: string): string | null {
    const value = this.lookUp(dict, key)
    return value?.type === 'string' ? value.asString() : null
  }

  numbersIn(dict: PdfDict, key: string): number[] | null {
    const value = this.lookUp(dict, key)
    if (value?.type !== 'array') return null
    const numbers = [...value].map((item) => this.resolve(item))
    return numbers.flatMap((item) => (item?.type === 'number' ? [item.value] : []))
  }

  /**
   * Everything below a node, depth first, each node once.
   * @param below the children of a node; none for a leaf
   */
  *walk<State>(
    roots: readonly Kept<PdfDict>[],
    state: State,
    below: (node: Kept<PdfDict>, state: State) => [readonly Kept<PdfDict>[], State],
  ): Generator<[Kept<PdfDict>, State]> {
    const seen = new Set<PdfDict>()
    const waiting = roots.map((node) => ({ node, state, depth: 0 })).reverse()
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const { node, depth } = next
      if (seen.has(node.object)) continue
      if (depth > DEEPEST_TREE || seen.size > MOST_TREE_NODES)
        throw damaged('a tree in it is too large')
      seen.add(node.object)
      yield [node, next.state]
      const [children, inner] = below(node, next.state)
      for (const child of children.toReversed()) {
        waiting.push({ node: child, state: inner, depth: depth + 1 })
      }
    }
  }

  #dictAt(value: PdfObject | undefined, home: PdfRef): Kept<PdfDict> | null {
    const object = this.resolve(value)
    if (!isDict(object)) return null
    return { object, home: value instanceof PdfRef ? value : home }
  }

  #rejectUnopened(): void {
    const { isEncrypted, isAuthenticated } = this.pdf.context.info
    const encryption = this.lookUp(this.trailer, 'Encrypt')
    if (isDict(encryption) && this.nameIn(encryption, 'Filter') !== 'Standard') {
      throw new UnfitDocumentError('The PDF is encrypted for the holders of certain keys')
    }
    if (isEncrypted && !isAuthenticated) {
      throw new UnfitDocumentError('The PDF needs a password to be opened')
    }
    if (entry(this.trailer, 'AuthCode')) {
      throw new UnfitDocumentError(
        'The PDF has an integrity code that only those who know it can renew',
      )
    }
  }
}

/**
 * An entry of a dictionary. The library's own look-up compares names by identity, which fails once
 * a document has more names than it remembers.
 */
export function entry(dict: PdfDict, key: string): PdfObject | undefined {
  for (const [name, value] of dict) if (name.value === key) return value
  return undefined
}

/** @see entry */
export function setEntry(dict: PdfDict, key: string, value: PdfObject): void {
  const known = [...dict.keys()].find((name) => name.value === key)
  dict.set(known ?? PdfName.of(key), value)
}

export function isDict(object: PdfObject | undefined): object is PdfDict {
  return object instanceof PdfDict && object.type !== 'stream'
}

export function damaged(what: string, options?: ErrorOptions): UnfitDocumentError {
  return new UnfitDocumentError(`The PDF is damaged: ${what}`, options)
}

const HEADER = '%PDF-'
/** Acrobat's own tolerance. @see ISO 32000-1, Annex H, 3.4.1 */
const HEADER_WITHIN_BYTES = 1024

function rejectOtherFiles(bytes: Uint8Array): void {
  const head = Buffer.from(
    bytes.buffer,
    bytes.byteOffset,
    Math.min(bytes.length, HEADER_WITHIN_BYTES),
  )
  if (!head.includes(HEADER)) throw new UnfitDocumentError('The document is not a PDF')
}

const TAIL_BYTES = 2048

function findCrossReference(bytes: Uint8Array): CrossReference {
  const from = Math.max(0, bytes.length - TAIL_BYTES)
  const tail = Buffer.from(bytes.buffer, bytes.byteOffset + from, bytes.length - from).toString(
    'latin1',
  )
  const [, digits] = /.*startxref\s+(\d{1,10})/s.exec(tail) ?? []
  if (digits === undefined) throw damaged('it does not say where its cross-references are')
  const offset = Number(digits)
  const first = bytes[offset]
  const isTable = first === 'x'.charCodeAt(0)
  if (!isTable && !isDigit(first)) throw damaged('its cross-references are not where it says')
  return { offset, isStream: !isTable }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

async function parse(bytes: Uint8Array): Promise<PDF> {
  try {
    return await PDF.load(bytes, { lenient: false })
  } catch (error) {
    if (error instanceof UnfitDocumentError) throw error
    throw damaged('its cross-references or objects cannot be read', { cause: error })
  }
}
