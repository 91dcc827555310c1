import type { Credential } from '../credentials/credential.js'
import { SignatureWithheldError, UnfitSignedPropertiesError } from '../errors.js'
import type { SignatureAlgorithm } from '../keys/algorithms.js'
import type {
  AdesFormat,
  AdesSignature,
  ConformanceLevel,
  ProofSources,
  SignatureFormat,
  ValidationData,
} from './ades.js'
import type { ContainerType } from './asic/container-type.js'
import { containerFormat, FORMATS, type FormatFacts } from './formats.js'
import {
  prepareDocument,
  type DocumentRequest,
  type PreparedDocument,
} from './prepared-document.js'
import { ProofsOf, validationInfoOf } from './proofs.js'

/** What there is to make signatures last; each is null where it is not. */
export interface Proofs {
  readonly timestamp: ProofSources['timestamp'] | null
  readonly validationData: ProofSources['validationData'] | null
}

/** How the signatures of one call are made. */
export interface DocumentSigning {
  readonly requests: readonly DocumentRequest[]
  /** Of requests that name no other. */
  readonly algorithm: SignatureAlgorithm
  readonly credential: Pick<Credential, 'certificates'>
  readonly signingTime: Date
  /** Whether validation data is returned beside the signatures. */
  readonly returnValidationInfo: boolean
}

/** What became of them, in the order of the requests. */
export interface SignedDocuments {
  readonly signatures: readonly Pick<AdesSignature, 'bytes' | 'holdsDocument'>[]
  readonly validationInfo: ValidationData | null
}

/** Documents in, AdES signatures out; between the two stands the ledger. */
export class Documents {
  readonly #proofs: Proofs
  readonly #now: () => Date
  readonly #formats: Readonly<Partial<Record<SignatureFormat, FormatFacts>>>
  readonly #loaded = new Map<SignatureFormat, Promise<AdesFormat>>()
  #provedAt: Date | null = null

  constructor(parts: {
    proofs: Proofs
    now: () => Date
    formats?: Readonly<Partial<Record<SignatureFormat, FormatFacts>>>
  }) {
    this.#proofs = parts.proofs
    this.#now = parts.now
    this.#formats = parts.formats ?? FORMATS
  }

  /** What works here, for `info`. */
  get capabilities() {
    const formats = Object.values(this.#formats)
    return {
      formats: formats.map(({ format }) => format),
      envelopes: formats.map(({ documentEnvelopes }) => documentEnvelopes),
      containers: formats.map(({ containers }) => containers),
      levels: LEVELS.filter((level) => this.offers(level)),
      validationInfo: this.#proofs.validationData !== null,
    }
  }

  offers(level: ConformanceLevel): boolean {
    const { timestamp, validationData } = this.#proofs
    if (level === 'B-B') return true
    return timestamp !== null && (level === 'B-T' || validationData !== null)
  }

  get offersValidationInfo(): boolean {
    return this.#proofs.validationData !== null
  }

  /** Null for one that is not there, or not inside such a container. */
  async format(name: string, container?: ContainerType): Promise<AdesFormat | null> {
    const facts = Object.values(this.#formats).find(({ format }) => format === name)
    if (!facts) return null
    if (container) return containerFormat(facts.format, container)
    const loaded = this.#loaded.get(facts.format) ?? facts.load()
    this.#loaded.set(facts.format, loaded)
    return loaded
  }

  /** @throws {UnfitSignedPropertiesError} naming all that the format cannot carry */
  async rejectUnfitProperties(request: DocumentRequest): Promise<void> {
    const format = await this.format(request.format, request.container)
    const unfit = format?.unfitProperties(request.signedProperties) ?? []
    if (unfit.length > 0) throw new UnfitSignedPropertiesError(unfit)
  }

  /** Makes what the key signs. @throws {UnfitDocumentError} */
  async prepare({ requests, credential, ...facts }: DocumentSigning): Promise<PreparedDocument[]> {
    const [certificate = Buffer.alloc(0), ...chain] = credential.certificates
    const { signingTime } = facts
    const prepared: PreparedDocument[] = []
    // One after the other: each may need many times its size.
    for (const request of requests) {
      const format = await this.format(request.format, request.container)
      if (!format) throw new Error(`No format ${request.format}`)
      const { algorithm = facts.algorithm } = request
      const signatory = { certificate, chain }
      prepared.push(await prepareDocument(format, request, { algorithm, signatory, signingTime }))
    }
    return prepared
  }

  /**
   * Before anything is used up: whether what the levels need can be had now.
   * @throws {TimestampUnavailableError} @throws {ValidationDataUnavailableError}
   */
  async demandProofs({ requests, algorithm, credential }: DocumentSigning): Promise<void> {
    const levels = new Set(requests.map(({ level }) => level))
    const { timestamp, validationData } = this.#proofs
    if (timestamp && [...levels].some((level) => level !== 'B-B') && !this.#provedLately()) {
      await timestamp(Buffer.alloc(algorithm.hash.bytes), algorithm.hash)
      this.#provedAt = this.#now()
    }
    if (validationData && (levels.has('B-LT') || levels.has('B-LTA'))) {
      await validationData(credential.certificates)
    }
  }

  /**
   * Puts the values in their places, and raises the signatures to their levels.
   * @throws {TimestampUnavailableError} @throws {ValidationDataUnavailableError}
   */
  async complete(
    signing: DocumentSigning,
    prepared: readonly PreparedDocument[],
    values: readonly Buffer[],
  ): Promise<SignedDocuments> {
    const signatures: AdesSignature[] = []
    const sources = new ProofsOf(this.#proofs)
    for (const [index, { signature }] of prepared.entries()) {
      const value = values[index]
      if (!value) throw new SignatureWithheldError('a signature is missing')
      signatures.push(await signature.complete(value, sources))
    }
    if (sources.hasTimestamps) this.#provedAt = this.#now()
    return {
      signatures: signatures.map(({ bytes, holdsDocument }) => ({ bytes, holdsDocument })),
      validationInfo: signing.returnValidationInfo
        ? await validationInfoOf(signing, signatures, sources)
        : null,
    }
  }

  #provedLately(): boolean {
    const at = this.#provedAt?.getTime() ?? -Infinity
    return this.#now().getTime() - at < PROVED_MS
  }
}

const LEVELS: readonly ConformanceLevel[] = ['B-B', 'B-T', 'B-LT', 'B-LTA']

/** So long an authority that gave a timestamp is taken to be there. */
const PROVED_MS = 60_000
