import * as asn1js from 'asn1js'
import { childrenOf } from '../../certificates/distinguished-name.js'
import type { SignatureFrame, SignerInfo } from './signed-data.js'

/** A SignedData that somebody else made, in parts that stand as they stood. */
export interface ReadSignedData {
  /** Everything but the signers. */
  readonly frame: SignatureFrame
  /** The content, or null where the signature is detached. */
  readonly content: Buffer | null
  readonly signers: readonly ReadSignerInfo[]
}

export interface ReadSignerInfo extends SignerInfo {
  readonly version: number
  /** All of it. */
  readonly encoded: Buffer
}

const ID_SIGNED_DATA = '1.2.840.113549.1.7.2'
/** Enough for a CRL of some ten thousand entries, too few to fill the memory. */
const MOST_NODES = 200_000

/** BER is taken where it is found. @throws {Error} when it is no ContentInfo with a SignedData */
export function readSignedData(bytes: Buffer): ReadSignedData {
  const [contentType, content, ...rest] = childrenOf(parse(bytes))
  if (oidOf(contentType) !== ID_SIGNED_DATA || rest.length > 0) throw new Error('No SignedData')
  const [signedData, ...others] = tagged(content, 0)
  if (others.length > 0) throw new Error('More than one SignedData')
  return readParts(childrenOf(signedData))
}

function readParts(parts: asn1js.AsnType[]): ReadSignedData {
  const [version, digestAlgorithms, encapContentInfo, ...rest] = parts
  numberOf(version)
  const certificates = takeTagged(rest, 0)
  const crls = takeTagged(rest, 1)
  const [signerInfos, ...others] = rest
  if (encapContentInfo === undefined || others.length > 0) throw new Error('No SignedData')
  const [type, content] = childrenOf(encapContentInfo)
  return {
    frame: {
      contentType: oidOf(type),
      encapContentInfo: [asItStands(encapContentInfo)],
      digestAlgorithms: elementsOf(digestAlgorithms, asn1js.Set).map(asItStands),
      certificates: certificates.map(asItStands),
      crls: crls.map(asItStands),
      otherSigners: [],
      otherSignersVersion: 0,
    },
    content: content === undefined ? null : contentOf(content),
    signers: elementsOf(signerInfos, asn1js.Set).map(readSigner),
  }
}

function readSigner(block: asn1js.AsnType): ReadSignerInfo {
  const parts = elementsOf(block, asn1js.Sequence)
  const last = parts.at(-1)
  const hasUnsigned = isTagged(last, 1)
  const fields = hasUnsigned ? parts.slice(0, -1) : parts
  const signature = fields.at(-1)
  const hasRightSize = fields.length === 5 || fields.length === 6
  if (!hasRightSize || !(signature instanceof asn1js.OctetString)) throw new Error('No SignerInfo')
  return {
    version: numberOf(fields[0]),
    encoded: asItStands(block),
    fields: fields.map(asItStands),
    value: octetsOf(signature),
    unsignedAttributes: hasUnsigned ? childrenOf(last).map(asItStands) : [],
  }
}

function contentOf(block: asn1js.AsnType): Buffer {
  const [octets, ...others] = tagged(block, 0)
  if (!(octets instanceof asn1js.OctetString) || others.length > 0) {
    throw new Error('The content is no OCTET STRING')
  }
  return octetsOf(octets)
}

/** Of a value in one piece, or in pieces, which BER allows. */
function octetsOf(block: asn1js.AsnType): Buffer {
  if (!(block instanceof asn1js.OctetString)) throw new Error('A piece is no OCTET STRING')
  if (!block.idBlock.isConstructed) return Buffer.from(block.valueBlock.valueHexView)
  const pieces = block.valueBlock.value.filter((one) => !(one instanceof asn1js.EndOfContent))
  return Buffer.concat(pieces.map(octetsOf))
}

function parse(bytes: Buffer): asn1js.AsnType {
  const { offset, result } = asn1js.fromBER(bytes, {
    parseEmbedded: false,
    maxNodes: MOST_NODES,
    maxContentLength: bytes.length,
  })
  if (offset !== bytes.length) throw new Error(result.error || 'Bytes behind the structure')
  return result
}

/** The elements behind a context tag that may be there next; they are taken out of `blocks`. */
function takeTagged(blocks: asn1js.AsnType[], number: number): asn1js.AsnType[] {
  return isTagged(blocks[0], number) ? childrenOf(blocks.shift()) : []
}

function tagged(block: asn1js.AsnType | undefined, number: number): asn1js.AsnType[] {
  if (!isTagged(block, number)) throw new Error(`A tag [${number}] was expected`)
  return childrenOf(block)
}

function isTagged(block: asn1js.AsnType | undefined, number: number): boolean {
  return block?.idBlock.tagClass === 3 && block.idBlock.tagNumber === number
}

function elementsOf(
  block: asn1js.AsnType | undefined,
  kind: typeof asn1js.Set | typeof asn1js.Sequence,
): asn1js.AsnType[] {
  if (!(block instanceof kind)) throw new Error(`A ${kind.NAME} was expected`)
  return childrenOf(block)
}

function oidOf(block: asn1js.AsnType | undefined): string {
  if (!(block instanceof asn1js.ObjectIdentifier)) throw new Error('An OID was expected')
  return block.valueBlock.toString()
}

function numberOf(block: asn1js.AsnType | undefined): number {
  if (!(block instanceof asn1js.Integer)) throw new Error('A number was expected')
  return block.valueBlock.valueDec
}

function asItStands(block: asn1js.AsnType): Buffer {
  return Buffer.from(block.valueBeforeDecodeView)
}
