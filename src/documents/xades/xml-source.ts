import { UnfitDocumentError } from '../../errors.js'
import { decodeXml, type XmlCharacters } from './xml-characters.js'
import { ID_ATTRIBUTES, scanXml, XML_LIMITS, type ScannedXml } from './xml-scan.js'
import { withTree, type CanonicalizationRequest, type XmlTree } from './xml-tree.js'

/** Nodes that may be passed over while one document is worked on; some seconds. */
const WORK = 3_000_000
/** Comparisons of namespaces that take as long as passing over a node. */
const COMPARISONS = 50

/** A document that was scanned, and a bound on what is done with it. */
export class XmlSource {
  readonly characters: XmlCharacters
  readonly scan: ScannedXml
  #workLeft = WORK

  /** @throws {UnfitDocumentError} when it cannot be read safely */
  constructor(bytes: Buffer | XmlCharacters) {
    if (Buffer.isBuffer(bytes) && bytes.length > 2 * XML_LIMITS.characters) {
      throw new UnfitDocumentError('The XML is too large')
    }
    this.characters = Buffer.isBuffer(bytes) ? decodeXml(bytes) : bytes
    this.scan = scanXml(this.characters.text)
  }

  /** Gives a tree to one use, and frees it. Every use gets a new one, which it may change. */
  use<T>(use: (tree: XmlTree) => T): T {
    this.#spend(this.scan.nodes)
    return withTree(this.characters.text, use)
  }

  /** Before a canonicalisation. */
  spendOn({ version }: CanonicalizationRequest): void {
    const { exclusiveWork, inclusiveWork } = this.scan
    const comparisons = version === 'exclusive' ? exclusiveWork : inclusiveWork
    if (comparisons > XML_LIMITS.namespaceWork) throw new UnfitDocumentError('Too many namespaces')
    this.#spend(this.scan.nodes + comparisons / COMPARISONS)
  }

  /** Before a search. */
  spendOnce(): void {
    this.#spend(this.scan.nodes)
  }

  #spend(nodes: number): void {
    this.#workLeft -= nodes
    if (this.#workLeft < 0) {
      throw new UnfitDocumentError('The XML has too many references for its size')
    }
  }

  /** Whether one element and no other is called so. */
  isUnique(id: string): boolean {
    return this.scan.ids.get(id) === 1
  }
}

/** What XPath can say of a name without quoting, and XML allows in identifiers. */
const NAME = /^[\p{L}_][\p{L}\p{N}\p{M}._·-]{0,199}$/u

export function isIdentifier(id: string): boolean {
  return NAME.test(id)
}

/** @param id an identifier; nothing else may get into an expression */
export function xpathOfId(id: string): string {
  if (!isIdentifier(id)) throw new UnfitDocumentError('An identifier is no name')
  return `//*[${ID_ATTRIBUTES.map((name) => `@${name}="${id}"`).join(' or ')}]`
}

/** Signatures that stand in no other. */
export const OUTER_SIGNATURES = '//ds:Signature[not(ancestor::ds:Signature)]'

/** @param index from 0, in the order of the document */
export function xpathOfSignature(index: number): string {
  return `(${OUTER_SIGNATURES})[${index + 1}]`
}

/** Signatures over others, in which they stand. @see EN 319 132-1, 5.2.7 */
export const COUNTER_SIGNATURES = '//xades:CounterSignature/ds:Signature[ancestor::ds:Signature]'

/** @param index from 0, in the order of the document */
export function xpathOfCounterSignature(index: number): string {
  return `(${COUNTER_SIGNATURES})[${index + 1}]`
}
