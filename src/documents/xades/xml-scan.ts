import { SaxesParser, type SaxesTagPlain } from 'saxes'
import { UnfitDocumentError } from '../../errors.js'

/** What a document may hold. Everything that comes after the scan takes time in proportion to it. */
export const XML_LIMITS = {
  /** UTF-16 code units. */
  characters: 16 * 1024 * 1024,
  /** Below the 256 at which libxml2 stops. */
  depth: 200,
  /** Namespace declarations included. */
  attributesOfAnElement: 256,
  /** Elements, attributes, and all that stands between elements. */
  nodes: 500_000,
  processingInstructions: 10_000,
  /** Comparisons of namespaces that one canonicalisation needs. */
  namespaceWork: 50_000_000,
  /** libxml2 takes no more in one piece, nor does what is built upon it. */
  bytesOfText: 10_000_000,
} as const

/** What one pass over a document tells. */
export interface ScannedXml {
  /** Where the end tag of the root begins; where its `/>` does, when it has no content. */
  readonly rootEnd: number
  readonly rootStart: number
  readonly rootName: string
  readonly rootIsEmpty: boolean
  /** One past the last character of the root. */
  readonly rootLimit: number
  readonly nodes: number
  /** Comparisons of namespaces that canonicalisations of all of it need, at most. */
  readonly exclusiveWork: number
  readonly inclusiveWork: number
  /** How often each value of an attribute that may be an identifier occurs. */
  readonly ids: ReadonlyMap<string, number>
}

/** Attributes that name an element, without a DTD to say so. */
export const ID_ATTRIBUTES = ['Id', 'ID', 'id', 'xml:id'] as const

/**
 * Reads the document once, keeping nothing of it: no DTD, hence no entities but the five of XML,
 * and nothing that would make a tree of it costly.
 *
 * @throws {UnfitDocumentError} for what is not well-formed, and beyond the limits
 */
export function scanXml(text: string): ScannedXml {
  if (text.length > XML_LIMITS.characters) throw new UnfitDocumentError('The XML is too large')
  const scan = new Scan()
  const parser = new SaxesParser({ xmlns: false, position: true })
  parser.on('doctype', () => reject('A document type declaration is not allowed'))
  parser.on('attribute', ({ name, value }) => scan.attribute(name, value))
  parser.on('opentag', (tag) => scan.open(tag, parser.position))
  parser.on('closetag', (tag) => scan.close(tag, parser.position))
  parser.on('text', (content) => scan.content(content))
  parser.on('cdata', (content) => scan.content(content))
  parser.on('comment', (content) => scan.content(content))
  parser.on('processinginstruction', ({ body }) => scan.instruction(body))
  try {
    parser.write(text).close()
  } catch (cause) {
    if (cause instanceof UnfitDocumentError) throw cause
    throw new UnfitDocumentError('The XML is not well-formed', { cause })
  }
  return scan.result(text)
}

function reject(why: string): never {
  throw new UnfitDocumentError(why)
}

interface OpenElement {
  readonly declarations: number
  /** Prefixes that the element and its attributes use. */
  readonly uses: number
}

class Scan {
  readonly #ids = new Map<string, number>()
  readonly #open: OpenElement[] = []
  #attributes = 0
  #declarations = 0
  #prefixed = 0
  /** Sums over the open elements. */
  #declared = 0
  #used = 0
  #nodes = 0
  #instructions = 0
  #exclusiveWork = 0
  #inclusiveWork = 0
  #rootStart = 0
  #rootLimit = 0
  #rootName = ''
  #rootIsEmpty = false

  attribute(name: string, value: string): void {
    this.#attributes++
    if (this.#attributes > XML_LIMITS.attributesOfAnElement) reject('Too many attributes')
    if (name === 'xmlns' || name.startsWith('xmlns:')) this.declaration(value)
    else if (name.includes(':')) this.#prefixed++
    if ((ID_ATTRIBUTES as readonly string[]).includes(name)) {
      this.#ids.set(value, (this.#ids.get(value) ?? 0) + 1)
    }
  }

  declaration(namespace: string): void {
    this.#declarations++
    // libxml2 leaves it as it is when it canonicalises, against the specification; others do not.
    if (namespace.includes('&')) reject('A namespace with an ampersand cannot be signed')
  }

  open({ name, isSelfClosing }: SaxesTagPlain, position: number): void {
    if (this.#open.length === 0) {
      this.#rootName = name
      this.#rootStart = position
      this.#rootIsEmpty = isSelfClosing
    }
    this.#count(1 + this.#attributes)
    const opened = { declarations: this.#declarations, uses: 1 + this.#prefixed }
    this.#open.push(opened)
    if (this.#open.length > XML_LIMITS.depth) reject('Elements are nested too deeply')
    this.#declared += opened.declarations
    this.#used += opened.uses
    this.#exclusiveWork += (opened.uses + opened.declarations) * this.#used
    this.#inclusiveWork += this.#declared * this.#declared
    if (this.#exclusiveWork > XML_LIMITS.namespaceWork) reject('Too many namespaces')
    this.#attributes = this.#declarations = this.#prefixed = 0
  }

  close(_tag: SaxesTagPlain, position: number): void {
    const closed = this.#open.pop()
    this.#declared -= closed?.declarations ?? 0
    this.#used -= closed?.uses ?? 0
    if (this.#open.length === 0) this.#rootLimit = position
  }

  content(content: string): void {
    if (content.length > XML_LIMITS.bytesOfText / 3) {
      if (Buffer.byteLength(content) > XML_LIMITS.bytesOfText) reject('A text is too long')
    }
    this.#count(1)
  }

  instruction(body: string): void {
    this.#instructions++
    if (this.#instructions > XML_LIMITS.processingInstructions) {
      reject('Too many processing instructions')
    }
    this.content(body)
  }

  #count(nodes: number): void {
    this.#nodes += nodes
    if (this.#nodes > XML_LIMITS.nodes) reject('The XML has too many parts')
  }

  result(text: string): ScannedXml {
    const limit = this.#rootLimit
    return {
      rootStart: text.lastIndexOf(`<${this.#rootName}`, this.#rootStart),
      rootEnd: this.#rootIsEmpty ? limit - 2 : text.lastIndexOf('</', limit),
      rootName: this.#rootName,
      rootIsEmpty: this.#rootIsEmpty,
      rootLimit: limit,
      nodes: this.#nodes,
      exclusiveWork: this.#exclusiveWork,
      inclusiveWork: this.#inclusiveWork,
      ids: this.#ids,
    }
  }
}
