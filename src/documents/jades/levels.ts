import { createHash } from 'node:crypto'
import type { HashAlgorithm } from '../../keys/algorithms.js'
import type { ConformanceLevel, ProofSources, Signatory, ValidationData } from '../ades.js'
import { certificatesOfToken } from '../cades/levels.js'
import {
  certificatesToEmbed,
  certificatesToValidate,
  distinct,
  withoutTrustAnchors,
} from '../signatory.js'
import { encodeJson, type JsonObject } from './json.js'

export interface LevelRequest {
  readonly level: ConformanceLevel
  readonly signatory: Signatory
  readonly hash: HashAlgorithm
  /** Of the JWS, base64url. */
  readonly protectedHeader: string
  readonly signature: string
  /** The octets of the signed data as they went into the signature; null where nobody has them. */
  readonly signedData: (() => Buffer) | null
  readonly sources: ProofSources
}

/**
 * The elements of `etsiU` for a level, each base64url, so that timestamps over them need no
 * canonical JSON; none for B-B. @see TS 119 182-1, 5.3
 */
export async function unsignedElements(request: LevelRequest): Promise<string[]> {
  const { level, signature, hash, sources } = request
  if (level === 'B-B') return []
  const token = await sources.timestamp(digestOf([Buffer.from(signature)], hash), hash)
  const timestamped = [encodeJson({ sigTst: tokenContainer(token) })]
  if (level === 'B-T') return timestamped
  const lasting = [...timestamped, ...(await validationElements(request, token))]
  return level === 'B-LT' ? lasting : [...lasting, await archiveTimestamp(request, lasting)]
}

/** What proves the signature, and apart from it what proves its timestamp. @see TS 119 182-1, 5.3.5 */
async function validationElements(
  { signatory, sources }: LevelRequest,
  token: Buffer,
): Promise<string[]> {
  const own = await sources.validationData(certificatesToValidate(signatory, []))
  const inToken = certificatesOfToken(token)
  const ofToken = await sources.validationData(withoutTrustAnchors(inToken))
  const values = besides(own, certificatesToEmbed(signatory))
  const tstVD = besides(ofToken, [...inToken, ...values.certificates], values)
  return [
    ...Object.entries(validationMembers(values)).map(([name, value]) => ({ [name]: value })),
    ...(isEmpty(tstVD) ? [] : [{ tstVD: validationMembers(tstVD) }]),
  ].map(encodeJson)
}

/** What is not there already. */
function besides(
  { certificates, crls, ocspResponses }: ValidationData,
  otherCertificates: readonly Buffer[],
  other?: ValidationData,
): ValidationData {
  const newIn = (elements: readonly Buffer[], there: readonly Buffer[] = []) =>
    distinct([...there, ...elements]).slice(distinct(there).length)
  return {
    certificates: newIn(certificates, otherCertificates),
    crls: newIn(crls, other?.crls),
    ocspResponses: newIn(ocspResponses, other?.ocspResponses),
  }
}

function isEmpty({ certificates, crls, ocspResponses }: ValidationData): boolean {
  return certificates.length + crls.length + ocspResponses.length === 0
}

/** `xVals` and `rVals`, as far as there are any. */
function validationMembers({ certificates, crls, ocspResponses }: ValidationData): JsonObject {
  const xVals = certificates.map((certificate) => ({ x509Cert: pkiObject(certificate) }))
  const rVals = {
    ...(crls.length > 0 && { crlVals: crls.map(pkiObject) }),
    ...(ocspResponses.length > 0 && { ocspVals: ocspResponses.map(pkiObject) }),
  }
  return { ...(xVals.length > 0 && { xVals }), ...(Object.keys(rVals).length > 0 && { rVals }) }
}

/** @see TS 119 182-1, 5.3.6.3.1, for elements that are base64url */
async function archiveTimestamp(
  { protectedHeader, signature, signedData, hash, sources }: LevelRequest,
  elements: readonly string[],
): Promise<string> {
  if (signedData === null) throw new Error('An archive timestamp needs the signed data')
  const covered = [
    signedData(),
    Buffer.from(`.${protectedHeader}.${signature}.`),
    Buffer.from(elements.join('')),
  ]
  return encodeJson({
    arcTst: tokenContainer(await sources.timestamp(digestOf(covered, hash), hash)),
  })
}

function tokenContainer(token: Buffer): JsonObject {
  return { tstTokens: [pkiObject(token)] }
}

/** DER in Base64, which is the default encoding. @see TS 119 182-1, 5.4.2 */
function pkiObject(der: Buffer): { val: string } {
  return { val: der.toString('base64') }
}

function digestOf(parts: readonly Buffer[], { name }: HashAlgorithm): Buffer {
  const hash = createHash(name)
  for (const part of parts) hash.update(part)
  return hash.digest()
}
