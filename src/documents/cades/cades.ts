import { createHash } from 'node:crypto'
import { InvalidParameterError, UnfitDocumentError } from '../../errors.js'
import type { AdesFormat, PreparedSignature, SignatureParameters, SignedProperty } from '../ades.js'
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

  prepareDocument(document: Buffer, parameters: SignatureParameters): Promise<PreparedSignature> {
    return new Promise((resolve) => {
      resolve(preparedDocument(document, parameters))
    })
  }

  prepareDigest(digest: Buffer, parameters: SignatureParameters): Promise<PreparedSignature> {
    return new Promise((resolve) => {
      resolve(preparedDigest(digest, parameters))
    })
  }

  /** Another signer beside those of a detached signature over that content. */
  prepareBeside(
    signature: Buffer,
    content: Buffer,
    parameters: SignatureParameters,
  ): Promise<PreparedSignature> {
    return new Promise((resolve) => {
      const { content: own, frame } = existingSignatures(signature)
      if (own !== null) throw new UnfitDocumentError(NOT_DETACHED)
      const digest = digestOf(content, parameters.algorithm.hash.name)
      resolve(prepare({ type: frame.contentType, digest, octets: null }, parameters, frame))
    })
  }
}

function preparedDocument(document: Buffer, parameters: SignatureParameters): PreparedSignature {
  const { hash } = parameters.algorithm
  switch (parameters.envelope) {
    case 'Attached':
      return prepare(newContent(digestOf(document, hash.name), document), parameters)
    case 'Detached':
      return prepare(newContent(digestOf(document, hash.name), null), parameters)
    case 'Parallel': {
      const { content, frame } = existingSignatures(document)
      if (content === null) throw new UnfitDocumentError(DETACHED)
      const digest = digestOf(content, hash.name)
      return prepare({ type: frame.contentType, digest, octets: content }, parameters, frame)
    }
    default:
      throw new InvalidParameterError('signed_envelope_property')
  }
}

function preparedDigest(digest: Buffer, parameters: SignatureParameters): PreparedSignature {
  if (parameters.envelope !== 'Detached') {
    throw new InvalidParameterError('signed_envelope_property')
  }
  return prepare(newContent(digest, null), parameters)
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
  const { frame, content, signers } = readExisting(document)
  if (signers.length === 0) throw new UnfitDocumentError('The CMS to add to is not signed')
  if (frame.contentType === ID_TST_INFO) {
    throw new UnfitDocumentError('A timestamp takes no second signature')
  }
  const otherSigners = signers.map(({ encoded }) => encoded)
  const otherSignersVersion = Math.max(...signers.map(({ version }) => version))
  return { content, frame: { ...frame, otherSigners, otherSignersVersion } }
}

function readExisting(document: Buffer): ReadSignedData {
  try {
    return readSignedData(document)
  } catch (cause) {
    throw new UnfitDocumentError('The document to add a signature to is no CMS signature', {
      cause,
    })
  }
}

function digestOf(bytes: Buffer, hash: string): Buffer {
  return createHash(hash).update(bytes).digest()
}
