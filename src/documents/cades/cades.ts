import { InvalidParameterError, UnfitDocumentError } from '../../errors.js'
import type { AdesFormat, PreparedSignature, SignatureParameters, SignedProperty } from '../ades.js'
import { contentDigest } from '../content-digest.js'
import { ATTRIBUTE_OIDS, attributeType } from './attributes.js'
import { raised } from './levels.js'
import { readSignedData, type ReadSignedData } from './read-signed-data.js'
import {
  encodeSignedData,
  ID_DATA,
  prepareSignedData,
  type SignatureFrame,
  type SignedContent,
} from './signed-data.js'
import { propertyAttributes, unfitProperties } from './signed-properties.js'

const ID_TST_INFO = '1.2.840.113549.1.9.16.1.4'

/** CMS signatures with the attributes of EN 319 122-1, at its baseline levels. */
export class Cades implements AdesFormat {
  readonly format = 'C'
  /** Parallel takes a signature with its content inside, and puts another signer beside those there. */
  readonly documentEnvelopes = ['Attached', 'Detached', 'Parallel'] as const
  readonly digestEnvelopes = ['Detached'] as const

  unfitProperties(properties: readonly SignedProperty[]): readonly string[] {
    return unfitProperties(properties)
  }

  async prepareDocument(
    document: Buffer,
    parameters: SignatureParameters,
  ): Promise<PreparedSignature> {
    const { hash } = parameters.algorithm
    switch (parameters.envelope) {
      case 'Attached':
        return prepare(newContent(await contentDigest(document, hash), document), parameters)
      case 'Detached':
        return prepare(newContent(await contentDigest(document, hash), null), parameters)
      case 'Parallel': {
        const { content: octets, frame } = existingSignatures(document)
        if (octets === null) throw new UnfitDocumentError(DETACHED)
        const digest = await contentDigest(octets, hash)
        return prepare({ type: frame.contentType, digest, octets }, parameters, frame)
      }
      default:
        throw new InvalidParameterError('signed_envelope_property')
    }
  }

  async prepareDigest(digest: Buffer, parameters: SignatureParameters): Promise<PreparedSignature> {
    if (parameters.envelope !== 'Detached') {
      throw new InvalidParameterError('signed_envelope_property')
    }
    return Promise.resolve(prepare(newContent(digest, null), parameters))
  }

  /** Another signer beside those of a detached signature over that content. */
  async prepareBeside(
    signature: Buffer,
    content: Buffer,
    parameters: SignatureParameters,
  ): Promise<PreparedSignature> {
    const { content: own, frame } = existingSignatures(signature)
    if (own !== null) throw new UnfitDocumentError(NOT_DETACHED)
    const digest = await contentDigest(content, parameters.algorithm.hash)
    return prepare({ type: frame.contentType, digest, octets: null }, parameters, frame)
  }
}

function prepare(
  content: SignedContent,
  { algorithm, signatory, signingTime, signedProperties, level }: SignatureParameters,
  existing?: SignatureFrame,
): PreparedSignature {
  const { hash } = algorithm
  const subject = { contentDigest: content.digest, hash, signingTime }
  const attributes = propertyAttributes(signedProperties, subject)
  const prepared = prepareSignedData({
    ...{ content, algorithm, signatory, signingTime, attributes },
    ...(existing && { existing }),
  })
  return {
    toBeSigned: prepared.toBeSigned,
    complete: async (value, sources) => {
      const request = { level, signatory, hash, contentDigest: content.digest, sources }
      const bytes = encodeSignedData(await raised(prepared.complete(value), request))
      return { bytes, holdsDocument: content.octets !== null, validationInfo: null }
    },
  }
}

function newContent(digest: Buffer, octets: Buffer | null): SignedContent {
  return { type: ID_DATA, digest, octets }
}

const DETACHED = 'The signature to add to is detached: it does not hold its content'
const NOT_DETACHED = 'The signature to add to is not detached: it holds a content of its own'

/** What a signature that was handed over holds. @throws {UnfitDocumentError} */
function existingSignatures(document: Buffer): { content: Buffer | null; frame: SignatureFrame } {
  const { frame, content, signers, unsignedTypes } = readExisting(document)
  if (signers.length === 0) throw new UnfitDocumentError('The CMS to add to is not signed')
  if (frame.contentType === ID_TST_INFO) {
    throw new UnfitDocumentError('A timestamp takes no second signature')
  }
  if (unsignedTypes.some((type) => FORBIDDING.includes(type))) {
    throw new UnfitDocumentError(
      'A signature there has an archive timestamp that another signer would break',
    )
  }
  const otherSigners = signers.map(({ encoded }) => encoded)
  const otherSignersVersion = Math.max(...signers.map(({ version }) => version))
  return { content, frame: { ...frame, otherSigners, otherSignersVersion } }
}

/** Attributes over all certificates and CRLs there are. @see EN 319 122-1, 5.5.3 */
const FORBIDDING: readonly string[] = [
  ATTRIBUTE_OIDS.archiveTimestamp,
  ATTRIBUTE_OIDS.archiveTimestampV2,
  ATTRIBUTE_OIDS.longTermValidation,
]

interface ReadSignatures extends ReadSignedData {
  /** Of all unsigned attributes: OIDs. */
  readonly unsignedTypes: readonly string[]
}

function readExisting(document: Buffer): ReadSignatures {
  try {
    const read = readSignedData(document)
    const attributes = read.signers.flatMap(({ unsignedAttributes }) => unsignedAttributes)
    return { ...read, unsignedTypes: attributes.map(attributeType) }
  } catch (cause) {
    throw new UnfitDocumentError('The document to add a signature to is no CMS signature', {
      cause,
    })
  }
}
