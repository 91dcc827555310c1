import { Kind, type TObject, type TSchema } from '@sinclair/typebox'
import type { AccessToken } from '../http/bearer.js'
import type { Endpoint } from '../http/endpoint.js'
import type { JsonObject } from '../http/json-body.js'
import type { Quirk } from '../oauth/client.js'
import type { CscServices } from './services.js'
import { asHashes } from './v1/hashes.js'

type Members = TObject['properties']

/** How a body is read for each quirk; null when there is nothing in it to be read so. */
const READERS: Readonly<
  Partial<Record<Quirk, (body: JsonObject, members: Members) => JsonObject | null>>
> = { 'v1-names': fromV1Names, 'text-values': fromTextValues }

/** The request as the method takes it, for applications that are registered as sending it otherwise. */
export async function withQuirks(
  body: JsonObject,
  caller: AccessToken,
  { endpoint, services }: { endpoint: Endpoint<CscServices>; services: CscServices },
): Promise<JsonObject> {
  const members = endpoint.request.properties
  if (Object.values(READERS).every((read) => read(body, members) === null)) return body
  const client = await services.clients.find(caller.clientId)
  const readers = client?.quirks.map((quirk) => READERS[quirk]) ?? []
  return readers.reduce((read, reader) => reader?.(read, members) ?? read, body)
}

/** `hash`, `hashAlgo`, `PIN` and `OTP` in v2; what is named as in v2 counts first. */
function fromV1Names(body: JsonObject, members: Members): JsonObject | null {
  const { hash, hashAlgo, PIN, OTP } = body
  const hashes = 'hashes' in members && Array.isArray(hash) ? (hash as unknown[]) : undefined
  const answers = 'authData' in members ? [...answerTo('PIN', PIN), ...answerTo('OTP', OTP)] : []
  if (!hashes && answers.length === 0) return null
  const names = 'signAlgo' in members ? { hashes, hashAlgorithmOID: hashAlgo } : asHashes(hashes)
  const authData = answers.length > 0 ? { authData: answers } : {}
  return { ...names, ...authData, ...withoutNulls(body) }
}

function answerTo(id: string, value: unknown) {
  return typeof value === 'string' && value !== '' ? [{ id, value }] : []
}

function withoutNulls(body: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))
}

/** Numbers and booleans that came as text. */
function fromTextValues(body: JsonObject, members: Members): JsonObject | null {
  const read = Object.entries(body).flatMap(([name, value]) => {
    const member = Object.hasOwn(members, name) ? members[name] : undefined
    const meant = member && typeof value === 'string' ? valueOf(value, member) : undefined
    return meant === undefined ? [] : [[name, meant] as const]
  })
  return read.length === 0 ? null : { ...body, ...Object.fromEntries(read) }
}

function valueOf(text: string, member: TSchema): number | boolean | undefined {
  if (member[Kind] === 'Integer' && /^[0-9]{1,9}$/.test(text)) return Number(text)
  if (member[Kind] === 'Boolean' && /^(true|false)$/.test(text)) return text === 'true'
  return undefined
}
