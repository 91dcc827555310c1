import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'

/*
 * CMS read by position, with nothing of ours: what a verifier would have to find there.
 */

/** Parts of the SignedData, as they stand. */
export interface ParsedSignedData {
  readonly version: number
  readonly contentType: Buffer
  readonly certificates: readonly Buffer[]
  readonly crls: readonly Buffer[]
}

export function parsedSignedData(cms: Buffer): ParsedSignedData {
  const [version, , encapContentInfo, ...rest] = partsOf(cms)
  const behind = (tagNumber: number) =>
    rest.find(({ idBlock }) => idBlock.tagClass === 3 && idBlock.tagNumber === tagNumber)
  return {
    version: (version as asn1js.Integer).valueBlock.valueDec,
    contentType: bytesOf(elements(encapContentInfo)[0]),
    certificates: elements(behind(0)).map(bytesOf),
    crls: elements(behind(1)).map(bytesOf),
  }
}

/** SignerInfos, DER. */
export function signerInfos(cms: Buffer): Buffer[] {
  return elements(partsOf(cms).at(-1)).map(bytesOf)
}

/** Of the only signer. */
export function signatureValue(cms: Buffer): Buffer {
  const value = signer(cms).find((part) => part instanceof asn1js.OctetString)
  return Buffer.from((value as asn1js.OctetString).valueBlock.valueHexView)
}

/** Of the only signer, by OID; values as hex of the DER of the first. */
export function signedAttributes(cms: Buffer): Map<string, string> {
  const rows = [...attributes(signer(cms), 0)]
  return new Map(rows.map(([oid, values]) => [oid, values[0]?.toString('hex') ?? '']))
}

/** Of the only signer, by OID; values as DER. */
export function unsignedAttributes(cms: Buffer): Map<string, Buffer[]> {
  return attributes(signer(cms), 1)
}

/** What an archive timestamp has to be over, digested. @see EN 319 122-1, 5.5.3 */
export function archiveImprint(cms: Buffer, token: Buffer, content: Buffer, hash: string): Buffer {
  const digest = (bytes: Buffer) => createHash(hash).update(bytes).digest()
  const { contentType } = parsedSignedData(cms)
  const fields = signer(cms).slice(0, 6).map(bytesOf)
  const [index] = unsignedAttributes(token).get('0.4.0.19122.1.5') ?? []
  if (!index) throw new Error('The token has no ats-hash-index-v3')
  const imprint = digest(Buffer.concat([contentType, digest(content), ...fields, index]))
  rejectWrongIndex(cms, index, digest)
  return imprint
}

function rejectWrongIndex(cms: Buffer, index: Buffer, digest: (bytes: Buffer) => Buffer): void {
  const [, ...lists] = elements(asn1js.fromBER(index, { parseEmbedded: false }).result)
  const { certificates, crls } = parsedSignedData(cms)
  const unsigned = [...unsignedAttributes(cms)].filter(([oid]) => oid !== '0.4.0.1733.2.4')
  const attributeValues = unsigned.flatMap(([oid, values]) => {
    const type = Buffer.from(new asn1js.ObjectIdentifier({ value: oid }).toBER())
    return values.map((value) => Buffer.concat([type, value]))
  })
  for (const [at, covered] of [certificates, crls, attributeValues].entries()) {
    const there = elements(lists[at]).map((octets) => bytesOf(octets).subarray(2).toString('hex'))
    const expected = covered.map((bytes) => digest(bytes).toString('hex'))
    if (there.toSorted().join() !== expected.toSorted().join()) {
      throw new Error('The ats-hash-index-v3 is about something else')
    }
  }
}

/** Sets of the outer structure whose elements do not ascend, which DER demands; as hex of their tags. */
export function setsOutOfOrder(cms: Buffer): string[] {
  const [, digestAlgorithms, , ...rest] = partsOf(cms)
  const signers = elements(partsOf(cms).at(-1)).flatMap(elements)
  const sets = [digestAlgorithms, ...rest, ...signers].filter(
    (block) => block instanceof asn1js.Set || block?.idBlock.tagClass === 3,
  )
  return sets
    .filter((set) => {
      const there = elements(set).map(bytesOf)
      return there.toSorted((one, other) => Buffer.compare(one, other)).join() !== there.join()
    })
    .map((set) => bytesOf(set).subarray(0, 1).toString('hex'))
}

function attributes(parts: asn1js.AsnType[], tagNumber: number): Map<string, Buffer[]> {
  const set = parts.find(({ idBlock }) => idBlock.tagClass === 3 && idBlock.tagNumber === tagNumber)
  const rows = elements(set).map((attribute): [string, Buffer[]] => {
    const [type, values] = elements(attribute)
    return [(type as asn1js.ObjectIdentifier).getValue(), elements(values).map(bytesOf)]
  })
  return new Map(rows)
}

function signer(cms: Buffer): asn1js.AsnType[] {
  return elements(elements(partsOf(cms).at(-1))[0])
}

function partsOf(cms: Buffer): asn1js.AsnType[] {
  const { result } = asn1js.fromBER(cms, { parseEmbedded: false, maxContentLength: cms.length })
  const [, content] = elements(result)
  return elements(elements(content)[0])
}

function elements(block: asn1js.AsnType | undefined): asn1js.AsnType[] {
  return block instanceof asn1js.Constructed ? block.valueBlock.value : []
}

function bytesOf(block: asn1js.AsnType | undefined): Buffer {
  return Buffer.from(block?.valueBeforeDecodeView ?? [])
}
