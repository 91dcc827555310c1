import * as asn1js from 'asn1js'

const MESSAGE_DIGEST_OID = '1.2.840.113549.1.9.4'

/**
 * Whether bytes to be signed name a digest in the place their kind has for it: the message-digest attribute
 * of CMS signed attributes, a `DigestValue` of an XML `SignedInfo`, the `sigD` header of a JWS.
 */
export function namesDigest(toBeSigned: Buffer, digest: Buffer): boolean {
  switch (toBeSigned[0]) {
    case 0x31: // SET
      return messageDigestOf(toBeSigned)?.equals(digest) ?? false
    case 0x3c: // <
      return digestValues(toBeSigned).includes(digest.toString('base64'))
    default:
      return detachedHashes(toBeSigned).includes(digest.toString('base64url'))
  }
}

/** @see RFC 5652, 5.3 and 11.2: the attribute is there once, with one value */
function messageDigestOf(signedAttributes: Buffer): Buffer | null {
  const { offset, result } = asn1js.fromBER(signedAttributes)
  if (offset !== signedAttributes.length || !(result instanceof asn1js.Set)) return null
  const found = result.valueBlock.value.flatMap((attribute) => {
    if (!(attribute instanceof asn1js.Sequence)) return []
    const [type, values] = attribute.valueBlock.value
    const isIt =
      type instanceof asn1js.ObjectIdentifier && type.valueBlock.toString() === MESSAGE_DIGEST_OID
    return isIt && values instanceof asn1js.Set ? [values.valueBlock.value] : []
  })
  const [[value, another] = []] = found
  if (found.length !== 1 || another || !(value instanceof asn1js.OctetString)) return null
  return Buffer.from(value.valueBlock.valueHexView)
}

const DIGEST_VALUE = /<(?:\w+:)?DigestValue>([A-Za-z0-9+/=\s]*)<\//g

/** Of canonical XML, where nothing else can look like the element. */
function digestValues(signedInfo: Buffer): string[] {
  const elements = signedInfo.toString('utf8').matchAll(DIGEST_VALUE)
  return [...elements].map(([, value = '']) => value.replaceAll(/\s/g, ''))
}

/** `hashV` of the `sigD` header (TS 119 182-1, 5.2.8). */
function detachedHashes(signingInput: Buffer): string[] {
  const end = signingInput.indexOf('.')
  if (end < 0) return []
  const header = parsed(Buffer.from(signingInput.subarray(0, end).toString('ascii'), 'base64url'))
  const values = header?.sigD?.hashV
  if (!Array.isArray(values)) return []
  return (values as unknown[]).filter((value) => typeof value === 'string')
}

function parsed(json: Buffer): { readonly sigD?: { readonly hashV?: unknown } } | null {
  try {
    return JSON.parse(json.toString('utf8')) as { sigD?: { hashV?: unknown } } | null
  } catch {
    return null
  }
}
