import { UnfitDocumentError } from '../../errors.js'
import { jsonFlaw } from '../json-text.js'
import { isJsonObject, type JsonObject } from './json.js'

/** Signatures over one payload, in general JWS JSON serialisation. @see RFC 7515, 7.2.1 */
export interface JwsSignatures {
  /** base64url. */
  readonly payload: string
  /** Each as the text of its JSON object. */
  readonly signatures: readonly string[]
}

/**
 * Signatures that somebody else made, in any serialisation.
 * @throws {UnfitDocumentError} saying what is in the way of another one
 */
export function existingSignatures(document: Buffer): JwsSignatures {
  const text = document.toString('utf8')
  const { payload, signatures } = COMPACT.test(text.trim())
    ? fromCompact(text.trim())
    : fromJson(parsed(text))
  if (typeof payload !== 'string' || payload === '') {
    throw new UnfitDocumentError(
      'The signature to add to is detached: it does not hold its content',
    )
  }
  const others = signatures.map((one) => textOf(checked(one)))
  if (!BASE64URL.test(payload)) throw new UnfitDocumentError(NO_SIGNATURE)
  return { payload, signatures: others }
}

const DEEPEST_JSON = 100
const NO_SIGNATURE = 'The document to add a signature to is no JSON Web Signature'
const BASE64URL = /^[A-Za-z0-9_-]+$/
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+$/

interface ReadSignatures {
  readonly payload: unknown
  readonly signatures: readonly unknown[]
}

function fromCompact(text: string): ReadSignatures {
  const [header = '', payload, signature = ''] = text.split('.')
  return { payload, signatures: [{ protected: header, signature }] }
}

/** The general form, or the flattened one. */
function fromJson(jws: unknown): ReadSignatures {
  if (!isJsonObject(jws)) throw new UnfitDocumentError(NO_SIGNATURE)
  const { payload, signatures, ...flattened } = jws
  if (signatures === undefined) return { payload, signatures: [flattened] }
  const isGeneral = Array.isArray(signatures) && signatures.length > 0
  if (!isGeneral || 'signature' in flattened) throw new UnfitDocumentError(NO_SIGNATURE)
  return { payload, signatures }
}

function parsed(text: string): unknown {
  try {
    if (jsonFlaw(text, DEEPEST_JSON) !== null) throw new Error('JSON that is read in several ways')
    return JSON.parse(text)
  } catch (cause) {
    throw new UnfitDocumentError(NO_SIGNATURE, { cause })
  }
}

function checked(signature: unknown): JsonObject {
  if (!isJsonObject(signature)) throw new UnfitDocumentError(NO_SIGNATURE)
  const { protected: header, signature: value, header: unprotected } = signature
  const hasForm =
    typeof value === 'string' &&
    BASE64URL.test(value) &&
    typeof header === 'string' &&
    BASE64URL.test(header) &&
    (unprotected === undefined || isJsonObject(unprotected))
  if (!hasForm) throw new UnfitDocumentError(NO_SIGNATURE)
  rejectUnencodedPayload(parsed(Buffer.from(header, 'base64url').toString('utf8')))
  return { protected: header, ...(unprotected && { header: unprotected }), signature: value }
}

/** @throws {UnfitDocumentError} where it is nested so deeply that nobody could write it down again */
function textOf(signature: JsonObject): string {
  try {
    return JSON.stringify(signature)
  } catch (cause) {
    throw new UnfitDocumentError(NO_SIGNATURE, { cause })
  }
}

/** All signatures of one payload have to treat it alike. @see RFC 7797, 3 */
function rejectUnencodedPayload(header: unknown): void {
  if (!isJsonObject(header)) throw new UnfitDocumentError(NO_SIGNATURE)
  if (header['b64'] === false || 'sigD' in header) {
    throw new UnfitDocumentError('The signature to add to is not over an encoded payload inside it')
  }
}
