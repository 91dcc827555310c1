import {
  ParseOption,
  XmlC14NMode,
  XmlDocument,
  XmlElement,
  XmlError,
  XmlTreeNode,
  type XmlNode,
  type XmlOutputBufferHandler,
} from 'libxml2-wasm'
import { UnfitDocumentError } from '../../errors.js'
import { NAMESPACES, type Canonicalization } from './identifiers.js'

export interface CanonicalizationRequest extends Canonicalization {
  /** Prefixes that exclusive canonicalisation treats inclusively; '#default' for the default namespace. */
  readonly inclusivePrefixes?: readonly string[]
}

/** A document in libxml2, which alone canonicalises here. It lives as long as the call that made it. */
export class XmlTree {
  readonly #document: XmlDocument

  constructor(document: XmlDocument) {
    this.#document = document
  }

  get root(): XmlElement {
    return this.#document.root
  }

  /** Elements that an expression with the prefixes `ds`, `xades` and `xades141` finds. */
  elements(xpath: string, within: XmlNode = this.#document.root): XmlElement[] {
    return within.find(xpath, NAMESPACES).filter((node) => node instanceof XmlElement)
  }

  count(xpath: string): number {
    return Number(this.#document.eval(`count(${xpath})`, NAMESPACES))
  }

  /** Whether the expression finds this very element. */
  finds(xpath: string, element: XmlElement): boolean {
    return this.#document.find(xpath, NAMESPACES).some((node) => node.isSameNode(element))
  }

  /** Takes out whatever the expression finds, with all below it. */
  remove(xpath: string): void {
    for (const node of this.#document.find(xpath, NAMESPACES)) node.remove()
  }

  /** The whole document: comments and processing instructions around the root, too. */
  canonicalDocument(request: CanonicalizationRequest): Buffer {
    return collected((output) => this.#document.canonicalize(output, options(request)))
  }

  /** One element with all below it, in the namespaces of its place in the document. */
  canonicalElement(element: XmlElement, request: CanonicalizationRequest): Buffer {
    const nodeSet = new Set<XmlNode>([element])
    return collected((output) =>
      this.#document.canonicalize(output, { ...options(request), nodeSet }),
    )
  }

  dispose(): void {
    this.#document.dispose()
  }
}

/** All of them, in order. */
export function* childNodes(parent: XmlElement): Generator<XmlNode> {
  const { firstChild } = parent
  if (firstChild === null) return
  yield firstChild
  yield* following(firstChild)
}

/** Nodes before and behind, with the same parent. */
export function siblings(element: XmlElement): XmlNode[] {
  return [...preceding(element), ...following(element)]
}

/*
 * Not in one expression: libxml2 brings what it finds into order, which takes quadratic time among
 * brothers. The library cannot go on from a processing instruction otherwise.
 */

function* following(start: XmlNode): Generator<XmlNode> {
  for (let node = next(start); node !== null; node = next(node)) yield node
}

function* preceding(start: XmlNode): Generator<XmlNode> {
  for (let node = previous(start); node !== null; node = previous(node)) yield node
}

function next(node: XmlNode): XmlNode | null {
  return node instanceof XmlTreeNode ? node.next : node.get('following-sibling::node()[1]')
}

function previous(node: XmlNode): XmlNode | null {
  return node instanceof XmlTreeNode ? node.prev : node.get('preceding-sibling::node()[1]')
}

/**
 * @param text what a scan has found well-formed and within the limits
 * @throws {UnfitDocumentError} when libxml2 is of another opinion
 */
export function withTree<T>(text: string, use: (tree: XmlTree) => T): T {
  const tree = new XmlTree(parse(text))
  try {
    return use(tree)
  } catch (error) {
    if (!(error instanceof XmlError)) throw error
    throw new UnfitDocumentError('The XML cannot be canonicalised', { cause: error })
  } finally {
    tree.dispose()
  }
}

/** The characters are already decoded: what the declaration says of the encoding is of no interest. */
const PARSE_OPTIONS =
  ParseOption.XML_PARSE_NO_XXE |
  ParseOption.XML_PARSE_NONET |
  ParseOption.XML_PARSE_NO_SYS_CATALOG |
  ParseOption.XML_PARSE_SKIP_IDS |
  ParseOption.XML_PARSE_IGNORE_ENC

function parse(text: string): XmlDocument {
  let document: XmlDocument
  try {
    document = XmlDocument.fromString(text, { option: PARSE_OPTIONS })
  } catch (cause) {
    throw new UnfitDocumentError('The XML is not well-formed', { cause })
  }
  if (document.dtd === null) return document
  document.dispose()
  throw new UnfitDocumentError('A document type declaration is not allowed')
}

const MODES = {
  '1.0': XmlC14NMode.XML_C14N_1_0,
  '1.1': XmlC14NMode.XML_C14N_1_1,
  exclusive: XmlC14NMode.XML_C14N_EXCLUSIVE_1_0,
} as const

function options({ version, withComments, inclusivePrefixes }: CanonicalizationRequest) {
  const prefixes = version === 'exclusive' ? (inclusivePrefixes ?? []) : []
  return {
    mode: MODES[version],
    withComments,
    ...(prefixes.length > 0 && { inclusiveNamespacePrefixes: [...prefixes] }),
  }
}

function collected(write: (output: XmlOutputBufferHandler) => void): Buffer {
  const parts: Buffer[] = []
  write({
    write(bytes) {
      parts.push(Buffer.from(bytes)) // the library writes into the same memory again
      return bytes.length
    },
    close: () => true,
  })
  return Buffer.concat(parts)
}
