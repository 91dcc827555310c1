import * as asn1js from 'asn1js'

/*
 * Reading other people's ASN.1: every function refuses what has not the form it expects, by throwing. The
 * parsers of formats catch that once, at their door.
 */

export type Block = asn1js.AsnType

/** Enough for a CRL of some ten thousand entries, too few to fill the memory. */
const MOST_NODES = 200_000

/** One element and nothing behind it. @throws {Error} */
export function readElement(bytes: Uint8Array): Block {
  const { block, rest } = readFirstElement(bytes)
  if (rest.length > 0) throw new Error('Not one ASN.1 element')
  return block
}

/** One element, whatever follows: signature containers are padded with zeros in PDF. @throws {Error} */
export function readFirstElement(bytes: Uint8Array): { block: Block; rest: Uint8Array } {
  const { result, offset } = asn1js.fromBER(bytes, {
    parseEmbedded: false,
    maxNodes: MOST_NODES,
    maxContentLength: bytes.length,
  })
  if (offset <= 0) throw new Error('Not ASN.1')
  return { block: result, rest: bytes.subarray(offset) }
}

/** Its encoding, as it came. */
export function bytesOf(block: Block | undefined): Buffer {
  if (block === undefined) throw new Error('An element is missing')
  return Buffer.from(block.valueBeforeDecodeView)
}

export function childrenOf(block: Block | undefined): Block[] {
  const isStructure = block instanceof asn1js.Constructed && block.idBlock.isConstructed
  if (!isStructure) throw new Error('A structure was expected')
  return [...block.valueBlock.value]
}

export function isContext(block: Block | undefined, number: number): boolean {
  return block?.idBlock.tagClass === 3 && block.idBlock.tagNumber === number
}

/** Takes the element `[number]` out of the front of `fields`, if it is there. */
export function takeContext(fields: Block[], number: number): Block | undefined {
  return isContext(fields[0], number) ? fields.shift() : undefined
}

export function oidOf(block: Block | undefined): string {
  if (!(block instanceof asn1js.ObjectIdentifier)) throw new Error('An OID was expected')
  const oid = block.valueBlock.toString()
  if (oid === '') throw new Error('An OID is empty')
  return oid
}

/** Octets of an OCTET STRING, in one piece or several, also under an IMPLICIT tag. */
export function octetsOf(block: Block | undefined): Buffer {
  if (block instanceof asn1js.OctetString) return Buffer.from(block.getValue())
  if (block instanceof asn1js.Constructed) {
    return Buffer.concat(block.valueBlock.value.map(octetsOf))
  }
  if (block instanceof asn1js.Primitive) return Buffer.from(block.valueBlock.valueHexView)
  throw new Error('Octets were expected')
}

export function bitsOf(block: Block | undefined): Buffer {
  if (!(block instanceof asn1js.BitString)) throw new Error('A BIT STRING was expected')
  return Buffer.from(block.valueBlock.valueHexView)
}

export function integerOf(block: Block | undefined): Buffer {
  if (!(block instanceof asn1js.Integer)) throw new Error('A number was expected')
  return Buffer.from(block.valueBlock.valueHexView)
}

export function smallIntegerOf(block: Block | undefined): number {
  const bytes = integerOf(block)
  if (bytes.length > 4) throw new Error('A small number was expected')
  return bytes.readIntBE(0, bytes.length)
}

/** UTCTime or GeneralizedTime. */
export function timeOf(block: Block | undefined): Date {
  // GeneralizedTime is a subclass of UTCTime there
  if (!(block instanceof asn1js.UTCTime)) throw new Error('A time was expected')
  const date = block.toDate()
  if (Number.isNaN(date.getTime())) throw new Error('No such time')
  return date
}

export function isSet(block: Block | undefined): boolean {
  return block instanceof asn1js.Set
}

export function isOctets(block: Block | undefined): boolean {
  return block instanceof asn1js.OctetString
}

export function isSequence(block: Block | undefined): boolean {
  return block instanceof asn1js.Sequence
}

export function isIndefinite(block: Block): boolean {
  return block.lenBlock.isIndefiniteForm
}

export function isEnumerated(block: Block | undefined): boolean {
  return block instanceof asn1js.Enumerated
}

export function enumeratedOf(block: Block | undefined): number {
  if (!(block instanceof asn1js.Enumerated)) throw new Error('An ENUMERATED was expected')
  return block.valueBlock.valueHexView[0] ?? 0
}

export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** What the OCTET STRING holds. */
  readonly value: Buffer
}

export function readExtensions(list: Block | undefined): Extension[] {
  return childrenOf(list).map((extension) => {
    const [oid, ...others] = childrenOf(extension)
    const critical = others.some((block) => block instanceof asn1js.Boolean && block.getValue())
    return { oid: oidOf(oid), critical, value: octetsOf(others.at(-1)) }
  })
}
