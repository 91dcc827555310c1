/** What JSON can say. */
export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [member: string]: Json }

export type JsonObject = Readonly<Record<string, Json>>

/** base64url of the text, as JWS has its headers and `etsiU` its elements. */
export function encodeJson(value: Json): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
