import { createHash } from 'node:crypto'
import type { HashAlgorithm } from '../../keys/algorithms.js'
import { readTimestampToken } from '../../timestamping/timestamp-token.js'
import type { ConformanceLevel, ProofSources, Signatory, ValidationData } from '../ades.js'
import { certificatesToValidate, distinct } from '../signatory.js'
import type { CallerProperty } from './caller-properties.js'
import { EXCLUSIVELY, EXCLUSIVE_CANONICALIZATION } from './identifiers.js'
import { malformed, qualifyingParts, signatureParts } from './signature-parts.js'
import { signatureText, type SignatureContent } from './signature-text.js'
import { archiveTimestampInput, signatureTimestampInput } from './timestamp-imprint.js'
import { base64, element, type XmlText } from './xml-text.js'
import { withTree } from './xml-tree.js'

/** What levels are made from. */
export interface LevelRequest {
  readonly level: ConformanceLevel
  readonly content: SignatureContent
  /** As it stands in `ds:SignatureValue`. */
  readonly value: Buffer
  readonly signatory: Signatory
  /** What the references mean, in their order; null unless the level is B-LTA. */
  readonly references: readonly Buffer[] | null
  /** Timestamps that came with the request. */
  readonly contentTimestamps: readonly CallerProperty[]
  readonly sources: ProofSources
}

/** The unsigned properties of the level asked for. @see EN 319 132-1, 6 */
export async function unsignedProperties(request: LevelRequest): Promise<XmlText[]> {
  if (request.level === 'B-B') return []
  const { hash } = request.content.algorithm
  const token = await timestamped(signatureValueInput(request), hash, request.sources)
  const { timestamp: id } = request.content.ids
  const timestamp = timestampProperty('xades:SignatureTimeStamp', id, token)
  if (request.level === 'B-T') return [timestamp]
  const lasting = await withValidationData(request, timestamp, token)
  if (request.level === 'B-LT') return lasting
  return [...lasting, await archiveTimestamp(request, lasting)]
}

function timestamped(
  input: readonly Buffer[],
  hash: HashAlgorithm,
  sources: ProofSources,
): Promise<Buffer> {
  const imprint = createHash(hash.name)
  for (const piece of input) imprint.update(piece)
  return sources.timestamp(imprint.digest(), hash)
}

/** @see EN 319 132-1, 5.1.4.4 */
function timestampProperty(name: string, id: string, token: Buffer): XmlText {
  return element(
    name,
    { Id: id },
    element('ds:CanonicalizationMethod', { Algorithm: EXCLUSIVE_CANONICALIZATION }),
    element('xades:EncapsulatedTimeStamp', {}, base64(token)),
  )
}

function signatureValueInput({ content, value }: LevelRequest): Buffer[] {
  return withTree(signatureText(content, value, []), (tree) =>
    signatureTimestampInput(tree, signatureParts(tree.root), EXCLUSIVELY),
  )
}

/**
 * What belongs to a timestamp stands right behind it, and what belongs to one among the signed
 * properties names it; the signature's own comes last. Nothing is there twice.
 *
 * @see EN 319 132-1, 5.4.1, 5.4.2 and 5.5.1
 */
async function withValidationData(
  { content, signatory, contentTimestamps, sources }: LevelRequest,
  timestamp: XmlText,
  token: Buffer,
): Promise<XmlText[]> {
  const present = new ValuesPresent(content.certificates)
  const own = present.without(await sources.validationData(certificatesToValidate(signatory, [])))
  const proofOf = async (tokens: readonly Buffer[], uri: string | null) => {
    const read = tokens.map((each) => readTimestampToken(each).material.certificates)
    const inside = distinct(read.flat().map(({ der }) => der))
    const subjects = certificatesToValidate(
      { certificate: signatory.certificate, chain: [] },
      inside,
    )
    const data = await sources.validationData(subjects.slice(1))
    return timestampValidationData(present.without(data, inside), uri)
  }
  const behind = await proofOf([token], null)
  const others: XmlText[] = []
  for (const { tokens, id } of contentTimestamps) {
    others.push(...(await proofOf(tokens, id === null ? null : `#${id}`)))
  }
  return [timestamp, ...behind, ...validationValues(own), ...others]
}

/** What the signature already holds. */
class ValuesPresent {
  readonly #present = new Set<string>()

  constructor(certificates: readonly Buffer[]) {
    for (const each of certificates) this.#add(each)
  }

  /** @param inside what the thing that is proved brings along itself */
  without(data: ValidationData, inside: readonly Buffer[] = []): ValidationData {
    const brought = new Set(inside.map((each) => each.toString('base64')))
    const isNew = (each: Buffer) => !brought.has(each.toString('base64')) && this.#add(each)
    return {
      certificates: data.certificates.filter(isNew),
      crls: data.crls.filter(isNew),
      ocspResponses: data.ocspResponses.filter(isNew),
    }
  }

  #add(value: Buffer): boolean {
    const text = value.toString('base64')
    const isNew = !this.#present.has(text)
    this.#present.add(text)
    return isNew
  }
}

function timestampValidationData(data: ValidationData, uri: string | null): XmlText[] {
  const values = validationValues(data)
  if (values.length === 0) return []
  return [element('xades141:TimeStampValidationData', { URI: uri }, ...values)]
}

function validationValues({ certificates, crls, ocspResponses }: ValidationData): XmlText[] {
  const list = (name: string, value: string, values: readonly Buffer[]) =>
    values.length === 0
      ? []
      : [element(name, {}, ...values.map((each) => element(value, {}, base64(each))))]
  const revocations = [
    ...list('xades:CRLValues', 'xades:EncapsulatedCRLValue', crls),
    ...list('xades:OCSPValues', 'xades:EncapsulatedOCSPValue', ocspResponses),
  ]
  return [
    ...list('xades:CertificateValues', 'xades:EncapsulatedX509Certificate', certificates),
    ...(revocations.length === 0 ? [] : [element('xades:RevocationValues', {}, ...revocations)]),
  ]
}

async function archiveTimestamp(
  { content, value, references, sources }: LevelRequest,
  properties: readonly XmlText[],
): Promise<XmlText> {
  if (references === null) throw new Error('An archive timestamp needs what is signed')
  const input = withTree(signatureText(content, value, properties), (tree) => {
    const parts = signatureParts(tree.root)
    const qualifying = qualifyingParts(parts) ?? malformed('xades:QualifyingProperties')
    const input = { references, parts, qualifying, timestamp: null }
    return archiveTimestampInput(tree, input, EXCLUSIVELY)
  })
  const token = await timestamped(input, content.algorithm.hash, sources)
  return timestampProperty('xades141:ArchiveTimeStamp', content.ids.archiveTimestamp, token)
}
