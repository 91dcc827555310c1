import { TimestampUnavailableError, UnfitDocumentError } from '../../errors.js'
import type {
  AdesFormat,
  AdesSignature,
  PreparedSignature,
  ProofSources,
  SignatureParameters,
  SignedProperty,
  ValidationData,
} from '../ades.js'
import { ATTRIBUTE_OIDS } from '../cades/attributes.js'
import { certificatesOfToken, signatureTimestamp } from '../cades/levels.js'
import {
  encodeSignedData,
  ID_DATA,
  prepareSignedData,
  withUnsignedAttribute,
  type PreparedSignedData,
  type SignedData,
} from '../cades/signed-data.js'
import { propertyAttributes } from '../cades/signed-properties.js'
import { certificatesToEmbed, certificatesToValidate, distinct } from '../signatory.js'
import { cmsProperties, describe, unfitDescriptions, usualText } from './description.js'
import { GrowingPdf, type OpenPlace } from './growing-pdf.js'
import type { PdfTask } from './pdf-task.js'
import { PdfThreads, type PdfThreadLimits } from './pdf-threads.js'

export interface PadesOptions {
  readonly threads?: Partial<PdfThreadLimits>
  readonly largestBytes?: number
}

const LARGEST_BYTES = 128 * 1024 * 1024

/** CMS signatures inside PDFs, with the attributes of EN 319 142-1, at its baseline levels. */
export class Pades implements AdesFormat {
  readonly format = 'P'
  readonly documentEnvelopes = ['Certification', 'Revision'] as const
  readonly digestEnvelopes = ['Certification', 'Revision'] as const
  readonly #threads: PdfThreads
  readonly #largestBytes: number

  constructor({ threads, largestBytes = LARGEST_BYTES }: PadesOptions = {}) {
    this.#threads = new PdfThreads(threads)
    this.#largestBytes = largestBytes
  }

  unfitProperties(properties: readonly SignedProperty[]): readonly string[] {
    return unfitDescriptions(properties)
  }

  async prepareDocument(
    document: Buffer,
    parameters: SignatureParameters,
  ): Promise<PreparedSignature> {
    if (document.length > this.#largestBytes) {
      throw new UnfitDocumentError(`The PDF is larger than ${this.#largestBytes} bytes`)
    }
    const room = roomFor(parameters)
    const task = signingTask(parameters, room)
    const file = new GrowingPdf(this.#threads, document, spaceFor(parameters, room))
    const place = await file.append(task)
    if (!place) throw new Error('A signature has to have its place')
    return new PreparedPdf(file, place, parameters)
  }

  /** @param digest over the byte range of a PDF prepared elsewhere */
  prepareDigest(digest: Buffer, parameters: SignatureParameters): Promise<PreparedSignature> {
    return new Promise((resolve) => {
      resolve(preparedBlob(prepareCms(digest, parameters), parameters))
    })
  }
}

/** A CMS that somebody else puts into a PDF, and its validation data beside it. */
function preparedBlob(cms: PreparedSignedData, parameters: SignatureParameters): PreparedSignature {
  return {
    toBeSigned: cms.toBeSigned,
    complete: async (value, sources) => {
      const { data, token } = await timestamped(cms.complete(value), parameters, sources)
      const bytes = encodeSignedData(data)
      const validationInfo = await validationData(parameters, token, sources)
      return { bytes, holdsDocument: false, validationInfo }
    },
  }
}

class PreparedPdf implements PreparedSignature {
  readonly #file: GrowingPdf
  readonly #place: OpenPlace
  readonly #parameters: SignatureParameters
  readonly #cms: PreparedSignedData

  constructor(file: GrowingPdf, place: OpenPlace, parameters: SignatureParameters) {
    this.#file = file
    this.#place = place
    this.#parameters = parameters
    this.#cms = prepareCms(place.digest, parameters)
  }

  get toBeSigned(): Buffer {
    return this.#cms.toBeSigned
  }

  async complete(value: Buffer, sources: ProofSources): Promise<AdesSignature> {
    const { data, token } = await timestamped(this.#cms.complete(value), this.#parameters, sources)
    fill(this.#file, this.#place, encodeSignedData(data))
    const evidence = await validationData(this.#parameters, token, sources)
    if (evidence && token) await this.#preserve(evidence, token, sources)
    return { bytes: this.#file.bytes, holdsDocument: true, validationInfo: null }
  }

  async #preserve(evidence: ValidationData, token: Buffer, sources: ProofSources): Promise<void> {
    const { level, algorithm } = this.#parameters
    const contents = this.#file.valueAt(this.#place)
    const isArchived = level === 'B-LTA'
    const timestamp = isArchived
      ? { hash: algorithm.hash.name, room: token.length + BYTES_BETWEEN_TOKENS }
      : null
    const place = await this.#file.append({ kind: 'preserve', evidence, contents, timestamp })
    if (!place) return
    const archiving = await sources.timestamp(place.digest, algorithm.hash)
    fill(this.#file, place, archiving)
    await this.#preserveOther(place, archiving, token, sources)
  }

  /** Evidence for the last time-stamp, where another authority made it than the first. */
  async #preserveOther(
    place: OpenPlace,
    archiving: Buffer,
    token: Buffer,
    sources: ProofSources,
  ): Promise<void> {
    const known = certificatesOfToken(token)
    const isKnown = (one: Buffer) => known.some((other) => other.equals(one))
    const certificates = certificatesOfToken(archiving)
    if (certificates.every(isKnown)) return
    const evidence = await sources.validationData(distinct(certificates))
    const contents = this.#file.valueAt(place)
    await this.#file.append({ kind: 'preserve', evidence, contents, timestamp: null })
  }
}

function fill(file: GrowingPdf, place: OpenPlace, value: Buffer): void {
  if (!file.fill(place, value)) {
    throw new TimestampUnavailableError('The timestamp is larger than there is room for in the PDF')
  }
}

/** By how much a token of one authority may be longer than another. */
const BYTES_BETWEEN_TOKENS = 4 * 1024

/** Without the time of signing, which stands in the dictionary around it. @see EN 319 142-1, 6.3 */
function prepareCms(
  digest: Buffer,
  { algorithm, signatory, signedProperties, signingTime }: SignatureParameters,
): PreparedSignedData {
  const content = { type: ID_DATA, digest, octets: null }
  const subject = { contentDigest: digest, hash: algorithm.hash, signingTime }
  const attributes = propertyAttributes(cmsProperties(signedProperties), subject)
  return prepareSignedData({ content, algorithm, signatory, signingTime: null, attributes })
}

interface Timestamped {
  readonly data: SignedData
  /** Null at B-B. */
  readonly token: Buffer | null
}

async function timestamped(
  data: SignedData,
  { level, algorithm }: SignatureParameters,
  sources: ProofSources,
): Promise<Timestamped> {
  if (level === 'B-B') return { data, token: null }
  const token = await signatureTimestamp(data, algorithm.hash, sources)
  const attribute = { type: ATTRIBUTE_OIDS.signatureTimestamp, values: [token] }
  return { data: withUnsignedAttribute(data, attribute), token }
}

/** For the signature and its timestamp; null at levels that need none. */
async function validationData(
  { level, signatory }: SignatureParameters,
  token: Buffer | null,
  sources: ProofSources,
) {
  if (level === 'B-B' || level === 'B-T' || token === null) return null
  return sources.validationData(certificatesToValidate(signatory, certificatesOfToken(token)))
}

/** Attributes, algorithm identifiers and the signature value of the longest keys. */
const BYTES_BESIDES_CERTIFICATES = 3 * 1024
/** A token brings the chain of its authority. */
const BYTES_FOR_TOKEN = 12 * 1024

/** Bytes to keep free for the CMS. */
function roomFor({ level, signatory }: SignatureParameters): number {
  const certificates = certificatesToEmbed(signatory)
  const bytes = certificates.reduce((sum, { length }) => sum + length, BYTES_BESIDES_CERTIFICATES)
  return level === 'B-B' ? bytes : bytes + BYTES_FOR_TOKEN
}

/** A field, a page that lists many, a font with the letters shown. */
const BYTES_FOR_OBJECTS = 64 * 1024

/** Roughly what will be appended, so that the file has to be copied once only. */
function spaceFor({ appearance }: SignatureParameters, room: number): number {
  return 2 * room + BYTES_FOR_OBJECTS + (appearance?.image?.length ?? 0)
}

function signingTask(parameters: SignatureParameters, room: number): PdfTask {
  const { envelope, level, appearance = {}, algorithm } = parameters
  return {
    kind: 'sign',
    request: {
      certification: envelope === 'Certification',
      level,
      appearance,
      description: describe(parameters),
      usualText: usualText(parameters),
      hash: algorithm.hash.name,
      room,
    },
  }
}
