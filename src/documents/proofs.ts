import { ContentInfo, SignedData } from 'pkijs'
import { TimestampUnavailableError, ValidationDataUnavailableError } from '../errors.js'
import type { HashAlgorithm } from '../keys/algorithms.js'
import type { AdesSignature, ProofSources, ValidationData } from './ades.js'
import type { DocumentSigning, Proofs } from './documents.js'

/** The sources for one call; it remembers which timestamps were given out for it. */
export class ProofsOf implements ProofSources {
  readonly #proofs: Proofs
  readonly #tokens: Buffer[] = []

  constructor(proofs: Proofs) {
    this.#proofs = proofs
  }

  get hasTimestamps(): boolean {
    return this.#tokens.length > 0
  }

  /** Certificates inside the timestamps. */
  get timestampCertificates(): Buffer[] {
    return this.#tokens.flatMap(certificatesOf)
  }

  async timestamp(digest: Buffer, hash: HashAlgorithm): Promise<Buffer> {
    if (!this.#proofs.timestamp) throw new TimestampUnavailableError('no authority')
    const token = await this.#proofs.timestamp(digest, hash)
    this.#tokens.push(token)
    return token
  }

  async validationData(certificates: readonly Buffer[]): Promise<ValidationData> {
    const { validationData } = this.#proofs
    if (!validationData) throw new ValidationDataUnavailableError('no source')
    return validationData(certificates)
  }
}

/**
 * What proves the signatures of a call and their timestamps, as far as it is not in them (CSC API v2, 11.11);
 * null when all of it is.
 */
export async function validationInfoOf(
  { requests, credential }: DocumentSigning,
  signatures: readonly AdesSignature[],
  sources: ProofsOf,
): Promise<ValidationData | null> {
  const left = signatures.flatMap(({ validationInfo }) => validationInfo ?? [])
  const holdsNone = requests.some(({ level }) => level === 'B-B' || level === 'B-T')
  const certificates = [...credential.certificates, ...sources.timestampCertificates]
  const gathered = holdsNone ? [await sources.validationData(certificates)] : []
  const all = [...left, ...gathered]
  if (all.length === 0) return null
  const inSignatures = new Set(certificates.map((each) => each.toString('base64')))
  const own = ({ certificates }: ValidationData) =>
    left.length > 0
      ? certificates
      : certificates.filter((each) => !inSignatures.has(each.toString('base64')))
  return {
    certificates: distinct(all.flatMap(own)),
    crls: distinct(all.flatMap(({ crls }) => crls)),
    ocspResponses: distinct(all.flatMap(({ ocspResponses }) => ocspResponses)),
  }
}

function distinct(elements: readonly Buffer[]): Buffer[] {
  return [...new Map(elements.map((each) => [each.toString('base64'), each])).values()]
}

function certificatesOf(token: Buffer): Buffer[] {
  const outer = ContentInfo.fromBER(new Uint8Array(token))
  const { certificates = [] } = new SignedData({ schema: outer.content as unknown })
  return certificates.map((each) => Buffer.from(each.toSchema().toBER()))
}
