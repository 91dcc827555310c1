import { createHash } from 'node:crypto'
import {
  ParseOption,
  XmlC14NMode,
  XmlDocument,
  XmlElement,
  type XmlNode,
  type XmlOutputBufferHandler,
} from 'libxml2-wasm'
import { demand } from './expectations.js'
import { NotMet } from './outcome.js'

const DS = 'http://www.w3.org/2000/09/xmldsig#'
const NAMESPACES = { ds: DS, xades: 'http://uri.etsi.org/01903/v1.3.2#' }
const SIGNED_PROPERTIES = 'http://uri.etsi.org/01903#SignedProperties'

const CANONICALISATIONS: Readonly<Record<string, 0 | 1 | 2>> = {
  'http://www.w3.org/TR/2001/REC-xml-c14n-20010315': XmlC14NMode.XML_C14N_1_0,
  'http://www.w3.org/2001/10/xml-exc-c14n#': XmlC14NMode.XML_C14N_EXCLUSIVE_1_0,
  'http://www.w3.org/2006/12/xml-c14n11': XmlC14NMode.XML_C14N_1_1,
}
/** Of documents that were not signed before, all of them leave the same out. */
/** Elements that hold the status of certificates (ETSI EN 319 132-1 §5.4). */
const REVOCATION_DATA = ['RevocationValues', 'TimeStampValidationData', 'AnyValidationData']
const FILTERS = [
  `${DS}enveloped-signature`,
  'http://www.w3.org/TR/1999/REC-xpath-19991116',
  'http://www.w3.org/2002/06/xmldsig-filter2',
]
const BASE64 = `${DS}base64`
const DIGESTS: Readonly<Record<string, string>> = {
  'http://www.w3.org/2001/04/xmlenc#sha256': 'sha256',
  'http://www.w3.org/2001/04/xmldsig-more#sha384': 'sha384',
  'http://www.w3.org/2001/04/xmlenc#sha512': 'sha512',
}

/** An XML signature whose references within the document were followed, and found to match. */
export interface XmlSignature {
  /** SignedInfo, canonical. */
  readonly toBeSigned: Buffer
  readonly value: Buffer
  /** DER. */
  readonly certificates: readonly Buffer[]
  /** Whether the signed properties are signed, and name the certificate. */
  readonly namesCertificate: boolean
  readonly hasTimestamp: boolean
  readonly hasRevocationData: boolean
  readonly hasArchiveTimestamp: boolean
  /** Of what is signed besides its own properties: the octets that were hashed; null outside of the document. */
  readonly content: Buffer | null
  readonly digest: Buffer
}

/** @throws {NotMet} */
export function readXmlSignature(xml: Buffer): XmlSignature {
  const document = parsed(xml)
  try {
    const [signature, another] = elements(document, '//ds:Signature')
    demand(signature !== undefined && !another, 'there is not exactly one ds:Signature')
    const references = elements(signature, 'ds:SignedInfo/ds:Reference')
    const isOfProperties = (each: XmlElement) => attribute(each, 'Type') === SIGNED_PROPERTIES
    const [properties] = references.filter(isOfProperties)
    const [data, more] = references.filter((each) => !isOfProperties(each))
    demand(data !== undefined && !more, 'there is not exactly one reference to what is signed')
    const [toBeSigned, method] = [one(signature, 'ds:SignedInfo'), 'ds:CanonicalizationMethod']
    const certificates = elements(signature, 'ds:KeyInfo/ds:X509Data/ds:X509Certificate')
    return {
      toBeSigned: canonical(document, toBeSigned, one(toBeSigned, method)),
      value: base64Of(one(signature, 'ds:SignatureValue')),
      certificates: certificates.map(base64Of),
      namesCertificate:
        octetsOf(xml, properties)?.includes('SigningCertificateV2') === true &&
        elements(signature, './/xades:SigningCertificateV2').length === 1,
      hasTimestamp: elements(signature, './/xades:SignatureTimeStamp').length > 0,
      hasRevocationData: REVOCATION_DATA.some((name) => isThere(signature, name)),
      hasArchiveTimestamp: isThere(signature, 'ArchiveTimeStamp'),
      content: octetsOf(xml, data),
      digest: base64Of(one(data, 'ds:DigestValue')),
    }
  } finally {
    document.dispose()
  }
}

/** What a reference is to, after its transforms; null where it leads out of the document. */
function octetsOf(xml: Buffer, reference: XmlElement | undefined): Buffer | null {
  if (reference === undefined) return null
  const uri = attribute(reference, 'URI')
  if (uri !== '' && !uri?.startsWith('#')) return null
  const transforms = elements(reference, 'ds:Transforms/ds:Transform')
  const octets = transformed(xml, uri.slice(1), transforms)
  const hash = DIGESTS[attribute(one(reference, 'ds:DigestMethod'), 'Algorithm') ?? '']
  demand(hash !== undefined, 'a DigestMethod is weaker than SHA-256, or unknown')
  const digest = createHash(hash).update(octets).digest()
  const stated = base64Of(one(reference, 'ds:DigestValue'))
  demand(digest.equals(stated), `the digest of the reference "${uri}" is of something else`)
  return octets
}

/** In a tree of its own: filters take parts of it away. @param id empty for the whole document */
function transformed(xml: Buffer, id: string, transforms: readonly XmlElement[]): Buffer {
  const document = parsed(xml)
  try {
    const target = id === '' ? document.root : elementOfId(document, id)
    for (const transform of transforms) {
      const algorithm = attribute(transform, 'Algorithm') ?? ''
      if (algorithm === BASE64) return base64Of(target)
      if (Object.hasOwn(CANONICALISATIONS, algorithm)) return canonical(document, target, transform)
      demand(FILTERS.includes(algorithm), `the transform ${algorithm} is none of the usual ones`)
      for (const each of elements(document, '//ds:Signature')) each.remove()
    }
    return canonical(document, target, null)
  } finally {
    document.dispose()
  }
}

function elementOfId(document: XmlDocument, id: string): XmlElement {
  const found = elements(document, '//*[@Id]').filter((each) => attribute(each, 'Id') === id)
  const [element, another] = found
  demand(element !== undefined && !another, `no element, or more than one, has the Id ${id}`)
  return element
}

/** @param method null for what stands in where none is named (XML Signature, 4.4.3.2) */
function canonical(document: XmlDocument, of: XmlElement, method: XmlElement | null): Buffer {
  const algorithm = method ? (attribute(method, 'Algorithm') ?? '') : ''
  const mode = method ? CANONICALISATIONS[algorithm] : XmlC14NMode.XML_C14N_1_0
  demand(mode !== undefined, `the canonicalisation ${algorithm} is none of the usual ones`)
  const parts: Buffer[] = []
  const output: XmlOutputBufferHandler = {
    write(bytes) {
      parts.push(Buffer.from(bytes)) // the library writes into the same memory again
      return bytes.length
    },
    close: () => true,
  }
  document.canonicalize(output, { mode, nodeSet: new Set<XmlNode>([of]) })
  return Buffer.concat(parts)
}

function parsed(xml: Buffer): XmlDocument {
  try {
    const option = ParseOption.XML_PARSE_NO_XXE | ParseOption.XML_PARSE_NONET
    return XmlDocument.fromBuffer(xml, { option })
  } catch {
    throw new NotMet('it is no XML')
  }
}

function elements(within: XmlDocument | XmlElement, xpath: string): XmlElement[] {
  return within.find(xpath, NAMESPACES).filter((node) => node instanceof XmlElement)
}

/** In whichever namespace of XAdES. */
function isThere(within: XmlElement, name: string): boolean {
  return elements(within, `.//*[local-name()="${name}"]`).length > 0
}

function one(within: XmlElement, xpath: string): XmlElement {
  const [element] = elements(within, xpath)
  demand(element !== undefined, `there is no ${xpath}`)
  return element
}

function attribute(element: XmlElement, name: string): string | undefined {
  return element.attr(name)?.value
}

function base64Of(element: XmlElement): Buffer {
  const text = element.content.replaceAll(/[ \t\r\n]/g, '')
  demand(/^[A-Za-z0-9+/]*={0,2}$/.test(text), `${element.name} is no Base64`)
  return Buffer.from(text, 'base64')
}
