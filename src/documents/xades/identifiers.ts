import type { HashName, SignatureAlgorithm, SignatureScheme } from '../../keys/algorithms.js'
import { HASH_ALGORITHMS } from '../../keys/algorithms.js'

/** Namespaces, under the prefixes with which we write them. */
export const NAMESPACES = {
  ds: 'http://www.w3.org/2000/09/xmldsig#',
  xades: 'http://uri.etsi.org/01903/v1.3.2#',
  xades141: 'http://uri.etsi.org/01903/v1.4.1#',
} as const

/** `Type` of the reference to the signed properties. @see EN 319 132-1, 4.4.2 */
export const SIGNED_PROPERTIES_TYPE = 'http://uri.etsi.org/01903#SignedProperties'

export const TRANSFORMS = {
  base64: 'http://www.w3.org/2000/09/xmldsig#base64',
  envelopedSignature: 'http://www.w3.org/2000/09/xmldsig#enveloped-signature',
  xpath: 'http://www.w3.org/TR/1999/REC-xpath-19991116',
  xpathFilter2: 'http://www.w3.org/2002/06/xmldsig-filter2',
} as const

export interface Canonicalization {
  readonly version: '1.0' | '1.1' | 'exclusive'
  readonly withComments: boolean
}

export const EXCLUSIVE_CANONICALIZATION = 'http://www.w3.org/2001/10/xml-exc-c14n#'

/** What we use everywhere. */
export const EXCLUSIVELY: Canonicalization = { version: 'exclusive', withComments: false }

/** What stands in for a canonicalisation that nobody named. @see XML Signature, 4.4.3.2 */
export const DEFAULT_CANONICALIZATION: Canonicalization = { version: '1.0', withComments: false }

const CANONICALIZATIONS: Readonly<Record<string, Canonicalization>> = {
  'http://www.w3.org/TR/2001/REC-xml-c14n-20010315': DEFAULT_CANONICALIZATION,
  'http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments': {
    version: '1.0',
    withComments: true,
  },
  'http://www.w3.org/2006/12/xml-c14n11': { version: '1.1', withComments: false },
  'http://www.w3.org/2006/12/xml-c14n11#WithComments': { version: '1.1', withComments: true },
  [EXCLUSIVE_CANONICALIZATION]: EXCLUSIVELY,
  'http://www.w3.org/2001/10/xml-exc-c14n#WithComments': {
    version: 'exclusive',
    withComments: true,
  },
}

export function canonicalizationOf(uri: string): Canonicalization | null {
  return Object.hasOwn(CANONICALIZATIONS, uri) ? (CANONICALIZATIONS[uri] ?? null) : null
}

const DIGEST_METHODS: Readonly<Record<HashName, string>> = {
  sha256: 'http://www.w3.org/2001/04/xmlenc#sha256',
  sha384: 'http://www.w3.org/2001/04/xmldsig-more#sha384',
  sha512: 'http://www.w3.org/2001/04/xmlenc#sha512',
}

export function digestMethodUri(hash: HashName): string {
  return DIGEST_METHODS[hash]
}

/** Null for hashes that we do not accept, SHA-1 among them. */
export function hashOfDigestMethod(uri: string): HashName | null {
  const names = Object.keys(DIGEST_METHODS) as HashName[]
  return names.find((name) => DIGEST_METHODS[name] === uri) ?? null
}

/** @see RFC 9231, 2.3: the PSS methods have MGF1 with the same hash, and a salt of its length. */
const SIGNATURE_METHODS: Readonly<Record<SignatureScheme, (hash: HashName) => string>> = {
  'rsa-pkcs1': (hash) => `http://www.w3.org/2001/04/xmldsig-more#rsa-${hash}`,
  'rsa-pss': (hash) => `http://www.w3.org/2007/05/xmldsig-more#${hash}-rsa-MGF1`,
  ecdsa: (hash) => `http://www.w3.org/2001/04/xmldsig-more#ecdsa-${hash}`,
}

export function signatureMethodUri({ scheme, hash }: SignatureAlgorithm): string {
  return SIGNATURE_METHODS[scheme](hash.name)
}

/** Null for algorithms that we do not accept. */
export function algorithmOfSignatureMethod(uri: string): SignatureAlgorithm | null {
  for (const scheme of Object.keys(SIGNATURE_METHODS) as SignatureScheme[]) {
    const hash = Object.values(HASH_ALGORITHMS).find(
      ({ name }) => SIGNATURE_METHODS[scheme](name) === uri,
    )
    if (hash === undefined) continue
    return scheme === 'rsa-pss' ? { scheme, hash, saltLength: hash.bytes } : { scheme, hash }
  }
  return null
}
