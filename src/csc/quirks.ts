import type { AccessToken } from '../http/bearer.js'
import type { Endpoint } from '../http/endpoint.js'
import type { JsonObject } from '../http/json-body.js'
import type { CscServices } from './services.js'
import { asHashes } from './v1/hashes.js'

/**
 * The request as the method takes it: names of v1 count for applications that are registered as using
 * them. Names of v2 beside them win.
 */
export async function withQuirks(
  body: JsonObject,
  caller: AccessToken,
  { endpoint, services }: { endpoint: Endpoint<CscServices>; services: CscServices },
): Promise<JsonObject> {
  const translated = fromV1Names(body, endpoint.request.properties)
  if (!translated) return body
  const client = await services.clients.find(caller.clientId)
  return client?.quirks.includes('v1-names') ? { ...translated, ...withoutNulls(body) } : body
}

/** Null when there is nothing to translate. */
function fromV1Names(body: JsonObject, members: JsonObject): JsonObject | null {
  const { hash, hashAlgo, PIN, OTP } = body
  const hashes = 'hashes' in members && Array.isArray(hash) ? (hash as unknown[]) : undefined
  const answers = 'authData' in members ? [...answerTo('PIN', PIN), ...answerTo('OTP', OTP)] : []
  if (!hashes && answers.length === 0) return null
  const names = 'signAlgo' in members ? { hashes, hashAlgorithmOID: hashAlgo } : asHashes(hashes)
  return { ...names, ...(answers.length > 0 ? { authData: answers } : {}) }
}

function answerTo(id: string, value: unknown) {
  return typeof value === 'string' && value !== '' ? [{ id, value }] : []
}

function withoutNulls(body: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))
}
