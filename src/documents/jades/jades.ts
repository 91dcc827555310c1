import { createHash } from 'node:crypto'
import { InvalidParameterError, UnfitDocumentError } from '../../errors.js'
import type { HashName } from '../../keys/algorithms.js'
import type { AdesFormat, PreparedSignature, SignatureParameters, SignedProperty } from '../ades.js'
import { contentDigest } from '../content-digest.js'
import { existingSignatures } from './existing-signatures.js'
import { encodeJson, type JsonObject } from './json.js'
import { jwsAlgorithm } from './jws-algorithms.js'
import { unsignedElements } from './levels.js'
import { protectedHeader, type DetachedData } from './protected-header.js'
import { unfitProperties } from './signed-properties.js'

/**
 * JSON Web Signatures with the header parameters of TS 119 182-1 v1.2.1, at its baseline levels.
 *
 * They are in flattened JSON serialisation at every level, as those above B-B have unsigned header
 * parameters, which the compact one has no place for; Parallel gives the general one. A detached
 * signature holds URI and digest of the data in `sigD`.
 */
export class Jades implements AdesFormat {
  readonly format = 'J'
  /** Parallel takes a JWS with its payload inside, and puts another signature beside those there. */
  readonly documentEnvelopes = ['Attached', 'Detached', 'Parallel'] as const
  readonly digestEnvelopes = ['Detached'] as const

  unfitProperties(properties: readonly SignedProperty[]): readonly string[] {
    return unfitProperties(properties)
  }

  async prepareDocument(
    document: Buffer,
    parameters: SignatureParameters,
  ): Promise<PreparedSignature> {
    switch (parameters.envelope) {
      case 'Attached': {
        if (document.length === 0) throw new UnfitDocumentError(NO_PAYLOAD)
        const payload = document.toString('base64url')
        const jwsOf = (one: JsonObject) => JSON.stringify({ payload, ...one })
        return prepare(parameters, attached(payload, parameters, jwsOf))
      }
      case 'Parallel': {
        const { payload, signatures } = existingSignatures(document)
        const jwsOf = (one: JsonObject) =>
          `{"payload":"${payload}","signatures":[${[...signatures, JSON.stringify(one)].join(',')}]}`
        return prepare(parameters, attached(payload, parameters, jwsOf))
      }
      case 'Detached': {
        const digest = await contentDigest(document, parameters.algorithm.hash)
        return prepare(
          parameters,
          detached(digest, () => document, parameters),
        )
      }
      default:
        throw new InvalidParameterError('signed_envelope_property')
    }
  }

  async prepareDigest(digest: Buffer, parameters: SignatureParameters): Promise<PreparedSignature> {
    const { envelope, level } = parameters
    if (envelope !== 'Detached') throw new InvalidParameterError('signed_envelope_property')
    if (level === 'B-LTA') throw new UnfitDocumentError(NO_DATA_TO_ARCHIVE)
    return Promise.resolve(prepare(parameters, detached(digest, null, parameters)))
  }
}

/** RFC 7515, appendix F: without a payload, the content is elsewhere. */
const NO_PAYLOAD = 'An empty document cannot be attached: readers would look for it elsewhere'
const NO_DATA_TO_ARCHIVE =
  'JAdES at level B-LTA needs the document, which its archive timestamp is over'

/** One of the forms of a JWS, made of the members that each signature has. */
interface JwsForm {
  /** What goes before the signature in the signing input: base64url of the payload, or nothing. */
  readonly payload: string
  /** Of the signed data, as a timestamp over them would be. */
  readonly contentDigest: () => Buffer
  /** For an archive timestamp; null where nobody has them. */
  readonly signedData: (() => Buffer) | null
  readonly detached: DetachedData | null
  /** The text of the JWS. */
  readonly jwsOf: (signature: JsonObject) => string
}

function attached(
  payload: string,
  parameters: SignatureParameters,
  jwsOf: JwsForm['jwsOf'],
): JwsForm {
  const signedData = () => Buffer.from(payload)
  const { name } = parameters.algorithm.hash
  const contentDigest = () => createHash(name).update(payload).digest()
  return { payload, contentDigest, signedData, detached: null, jwsOf }
}

/** The payload counts as empty then. @see TS 119 182-1, 5.2.8.3.3 */
function detached(
  digest: Buffer,
  signedData: (() => Buffer) | null,
  { referenceUri, algorithm }: SignatureParameters,
): JwsForm {
  const uri = referenceUri ?? namedInformation(digest, algorithm.hash.name)
  return {
    payload: '',
    contentDigest: () => digest,
    signedData,
    detached: { uri, digest },
    jwsOf: JSON.stringify,
  }
}

/** Names data by nothing but their digest. @see RFC 6920, 3 */
function namedInformation(digest: Buffer, hash: HashName): string {
  return `ni:///${hash.replace('sha', 'sha-')};${digest.toString('base64url')}`
}

function prepare(parameters: SignatureParameters, form: JwsForm): PreparedSignature {
  const { algorithm, signatory, level } = parameters
  const { name, signatureOf } = jwsAlgorithm(algorithm, signatory.certificate)
  const header = encodeJson(protectedHeader(name, parameters, form.contentDigest, form.detached))
  return {
    toBeSigned: Buffer.from(`${header}.${form.payload}`),
    complete: async (value, sources) => {
      const signature = signatureOf(value)
      const etsiU = await unsignedElements({
        ...{ level, signatory, signature, sources },
        ...{ hash: algorithm.hash, protectedHeader: header, signedData: form.signedData },
      })
      const jws = form.jwsOf({
        protected: header,
        ...(etsiU.length > 0 && { header: { etsiU } }),
        signature,
      })
      return {
        bytes: Buffer.from(jws),
        holdsDocument: form.detached === null,
        validationInfo: null,
      }
    },
  }
}
