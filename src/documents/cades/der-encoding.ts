import * as asn1js from 'asn1js'

/*
 * Signatures are made of parts that others encoded and somebody hashed: certificates, CRLs,
 * attributes, whole SignerInfos. They go into the new structure octet for octet, never decoded and
 * encoded again. So structures are put together from encoded parts, and only their headers are new.
 */

const UNIVERSAL = 1
const CONTEXT_SPECIFIC = 3
const SEQUENCE = 16
const SET = 17
const OCTET_STRING = 4

/** The parts of an encoding in order; kept apart until the end, as documents may be large. */
export type Parts = readonly Buffer[]

/** SEQUENCE of encoded elements. */
export function sequence(...elements: readonly Parts[]): Parts {
  return element({ tagClass: UNIVERSAL, tagNumber: SEQUENCE, isConstructed: true }, elements.flat())
}

/** SET OF encoded elements, in the order DER demands. */
export function setOf(elements: Parts): Parts {
  return element({ tagClass: UNIVERSAL, tagNumber: SET, isConstructed: true }, sorted(elements))
}

/** `[number] IMPLICIT SET OF`, or the elements behind any other constructed context tag. */
export function contextSetOf(number: number, elements: Parts): Parts {
  return contextTag(number, sorted(elements))
}

/** `[number]` around what is constructed: EXPLICIT around one element, IMPLICIT over its content. */
export function contextTag(number: number, content: Parts): Parts {
  return element({ tagClass: CONTEXT_SPECIFIC, tagNumber: number, isConstructed: true }, content)
}

export function octetString(octets: Buffer): Parts {
  return element({ tagClass: UNIVERSAL, tagNumber: OCTET_STRING, isConstructed: false }, [octets])
}

export function objectIdentifier(oid: string): Parts {
  return [encoded(new asn1js.ObjectIdentifier({ value: oid }))]
}

/** DER of a block that we made ourselves. */
export function encoded(block: asn1js.AsnType): Buffer {
  return Buffer.from(block.toBER())
}

export function joined(parts: Parts): Buffer {
  const [only, another] = parts
  return only !== undefined && another === undefined ? only : Buffer.concat(parts)
}

/** @see X.690, 11.6 */
function sorted(elements: Parts): Parts {
  return [...elements].sort((one, other) => Buffer.compare(one, other))
}

function element(
  idBlock: { tagClass: number; tagNumber: number; isConstructed: boolean },
  content: Parts,
): Parts {
  const block = new asn1js.Primitive({ idBlock })
  block.idBlock.isConstructed = idBlock.isConstructed
  block.lenBlock.length = content.reduce((sum, { length }) => sum + length, 0)
  return [Buffer.from(block.idBlock.toBER()), Buffer.from(block.lenBlock.toBER()), ...content]
}
