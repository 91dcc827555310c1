import type { Context } from 'koa'
import { jsonFlaw } from '../documents/json-text.js'
import { MalformedRequestError } from '../errors.js'
import { decodeUtf8, readBytes } from './body.js'
import { LARGE, withoutLargeMembers, type LargeMember } from './large-members.js'

const MAX_DEPTH = 16

export type JsonObject = Readonly<Record<string, unknown>>

/**
 * The JSON object of a request; an empty body counts as `{}`.
 * @param parts.documents whether large members named `document` come as `LargeMember`
 * @throws {MalformedRequestError} @throws {RequestTooLargeError}
 */
export async function readJson(
  ctx: Context,
  limit: number,
  { documents = false }: { readonly documents?: boolean } = {},
): Promise<JsonObject> {
  const bytes = await readBytes(ctx, limit)
  const isLarge = documents && bytes.length >= LARGE
  const { json, members } = isLarge ? await withoutLargeMembers(bytes) : { json: bytes }
  const text = decodeUtf8(json)
  if (text.trim() === '') return {}
  if (!ctx.is('application/json')) throw new MalformedRequestError('media type')
  return parseJsonObject(text, members)
}

/**
 * Parses an object, strictly: no member twice in one object (parsers differ on which one counts), no
 * deep nesting, no `__proto__`.
 * @param members by the strings they stand for
 * @throws {MalformedRequestError}
 */
export function parseJsonObject(
  text: string,
  members?: ReadonlyMap<string, LargeMember>,
): JsonObject {
  const reviver = (_name: string, each: unknown) => members?.get(each as string) ?? each
  let value: unknown
  try {
    const flaw = jsonFlaw(text, MAX_DEPTH)
    if (flaw !== null) throw new MalformedRequestError(flaw)
    value = JSON.parse(text, members?.size ? reviver : undefined)
  } catch (error) {
    if (error instanceof MalformedRequestError) throw error
    // No JSON, or one with millions of escapes, which are too many for the stack.
    throw new MalformedRequestError('JSON', { cause: error })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MalformedRequestError('not an object')
  }
  return value as JsonObject
}
