import type { XmlElement } from 'libxml2-wasm'
import { hashOfDigestMethod } from '../../documents/xades/identifiers.js'
import {
  algorithmOf,
  attributeOf,
  bytesOf,
  childElements,
  required,
} from '../../documents/xades/signature-parts.js'
import { XmlSource } from '../../documents/xades/xml-source.js'

/** What a manifest in a container ties together (EN 319 162-1, A.4). */
export interface AsicManifest {
  /** File with the signature or timestamp over the manifest. */
  readonly proof: string
  readonly references: readonly {
    readonly name: string
    /** Null for one we do not accept. */
    readonly hash: string | null
    readonly digest: Buffer
  }[]
}

const NAMESPACE = 'http://uri.etsi.org/02918/v1.2.1#'

/** @throws {Error} when it is not as its schema says */
export function readAsicManifest(bytes: Buffer): AsicManifest {
  return new XmlSource(bytes).use(({ root }) => {
    if (!isAsic(root, 'ASiCManifest')) throw new Error('Not a manifest')
    const [first, ...others] = childElements(root)
    if (!first || !isAsic(first, 'SigReference')) throw new Error('No signature')
    const references = others.filter((each) => isAsic(each, 'DataObjectReference'))
    return {
      proof: nameOf(first),
      references: references.map((each) => {
        const children = childElements(each)
        const at = children.findIndex(({ name }) => name === 'DigestMethod')
        const method = required(children[at], 'ds', 'DigestMethod')
        const digest = bytesOf(required(children[at + 1], 'ds', 'DigestValue'))
        return { name: nameOf(each), hash: hashOfDigestMethod(algorithmOf(method)), digest }
      }),
    }
  })
}

function isAsic(element: XmlElement, name: string): boolean {
  return element.name === name && element.namespaceUri === NAMESPACE
}

function nameOf(element: XmlElement): string {
  return decodeURIComponent(attributeOf(element, 'URI') ?? '').replace(/^\.?\//, '')
}
