import { Type, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { UnfitSignedPropertiesError } from '../../errors.js'
import type { HashAlgorithm } from '../../keys/algorithms.js'
import type { SignedProperty } from '../ades.js'
import { timestampsDigest } from '../cades/timestamp-imprint.js'
import { propertyText } from '../property-text.js'
import type { Json, JsonObject } from './json.js'

/** What properties may have to do with. */
export interface PropertySubject {
  /** Of the octets a signed data timestamp is over, under that hash. */
  readonly contentDigest: () => Buffer
  readonly hash: HashAlgorithm
}

interface PropertyFacts {
  readonly schema: TSchema
  /** The value that a text stands for; null where the text says nothing of the kind. */
  readonly ofText?: (text: string) => Json | null
  /** Whether a value is right for this signature. */
  readonly fits?: (value: Json, subject: PropertySubject) => boolean
}

const Text = Type.String({ minLength: 1 })

/** @see TS 119 182-1, 5.4.1 */
const ObjectIdentifier = Type.Object(
  {
    id: Text,
    desc: Type.Optional(Text),
    docRefs: Type.Optional(Type.Array(Text, { minItems: 1 })),
  },
  { additionalProperties: false },
)

const Qualified = Type.Array(
  Type.Object(
    { mediaType: Text, encoding: Text, qVals: Type.Array(Type.Unknown(), { minItems: 1 }) },
    { additionalProperties: false },
  ),
  { minItems: 1 },
)

const Timestamps = Type.Object(
  {
    tstTokens: Type.Array(Type.Object({ val: Text }, { additionalProperties: false }), {
      minItems: 1,
    }),
  },
  { additionalProperties: false },
)

/** Header parameters of TS 119 182-1 that one may ask for. */
const PROPERTIES: Readonly<Record<string, PropertyFacts>> = {
  cty: {
    schema: Type.String({ pattern: '^[\\x21-\\x7e][\\x20-\\x7e]*$' }),
    ofText: (text) => text,
  },
  srCms: {
    schema: Type.Array(
      Type.Object(
        { commId: ObjectIdentifier, commQuals: Type.Optional(Type.Array(Type.Object({}))) },
        { additionalProperties: false },
      ),
      { minItems: 1 },
    ),
    ofText: commitment,
  },
  sigPl: {
    schema: Type.Partial(
      Type.Object({
        addressCountry: Text,
        addressLocality: Text,
        addressRegion: Text,
        postOfficeBoxNumber: Text,
        postalCode: Text,
        streetAddress: Text,
      }),
      { additionalProperties: false, minProperties: 1 },
    ),
    ofText: (addressLocality) => ({ addressLocality }),
  },
  srAts: {
    schema: Type.Partial(
      Type.Object({
        claimed: Qualified,
        certified: Type.Array(Type.Object({}), { minItems: 1 }),
        signedAssertions: Qualified,
      }),
      { additionalProperties: false, minProperties: 1 },
    ),
    ofText: (role) => ({
      claimed: [{ mediaType: 'text/plain', encoding: 'binary', qVals: [role] }],
    }),
  },
  adoTst: {
    schema: Timestamps,
    ofText: (token) => (BASE64.test(token) ? { tstTokens: [{ val: token }] } : null),
    fits: timestampsContent,
  },
  sigPId: {
    schema: Type.Object(
      {
        id: ObjectIdentifier,
        digAlg: Type.Optional(Text),
        digVal: Type.Optional(Text),
        digPSp: Type.Optional(Type.Boolean()),
        sigPQuals: Type.Optional(Type.Array(Type.Object({}), { minItems: 1 })),
      },
      { additionalProperties: false },
    ),
  },
}

/** What is in every signature; one may ask for it, and not say what it is. */
const ALWAYS_THERE: readonly string[] = ['alg', 'iat', 'x5c']

function isThereAnyway({ name, value }: SignedProperty): boolean {
  return value === null && ALWAYS_THERE.includes(name)
}

/** The names among them that JAdES does not know, that came before, or whose values are no good. */
export function unfitProperties(properties: readonly SignedProperty[]): string[] {
  const seen = new Set<string>()
  return properties
    .filter((property) => {
      const { name, value } = property
      if (isThereAnyway(property)) return false
      const isNew = !seen.has(name)
      seen.add(name)
      return !isNew || value === null || valueOf(name, value) === null
    })
    .map(({ name }) => name)
}

/** Members of the protected header. @throws {UnfitSignedPropertiesError} */
export function propertyMembers(
  properties: readonly SignedProperty[],
  subject: PropertySubject,
): JsonObject {
  const unfit = unfitProperties(properties)
  if (unfit.length > 0) throw new UnfitSignedPropertiesError(unfit)
  const asked = properties.filter((property) => !isThereAnyway(property))
  const members = asked.map(({ name, value }): [string, Json] => {
    const member = value === null ? null : valueOf(name, value)
    const fits = member !== null && (PROPERTIES[name]?.fits?.(member, subject) ?? true)
    if (!fits) throw new UnfitSignedPropertiesError([name])
    return [name, member]
  })
  return Object.fromEntries(members)
}

/** JSON, or any other text where the property has a plain meaning; either may be in Base64. */
function valueOf(name: string, sent: string): Json | null {
  const facts = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name] : undefined
  if (!facts || sent === '') return null
  const isEncoded = BASE64.test(sent)
  const value =
    parsed(sent) ??
    (isEncoded ? parsed(Buffer.from(sent, 'base64').toString()) : null) ??
    facts.ofText?.(propertyText(sent)) ??
    null
  return value !== null && Value.Check(facts.schema, value) ? value : null
}

/** A structure; numbers and the like are texts here. */
function parsed(text: string): Json | null {
  if (!/^\s*[[{"]/.test(text)) return null
  try {
    return JSON.parse(text) as Json
  } catch {
    return null
  }
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

const COMMITMENT_URI = 'http://uri.etsi.org/01903/v1.2.2#'
const COMMITMENTS: readonly string[] = [
  'ProofOfOrigin',
  'ProofOfReceipt',
  'ProofOfDelivery',
  'ProofOfSender',
  'ProofOfApproval',
  'ProofOfCreation',
]

/** By a name of TS 119 182-1, 5.2.3, in either spelling, or by a URI. */
function commitment(text: string): Json | null {
  const name = COMMITMENTS.find((one) => one.toLowerCase() === text.toLowerCase())
  const id = name === undefined ? text : `${COMMITMENT_URI}${name}`
  return URL.canParse(id) ? [{ commId: { id } }] : null
}

function timestampsContent(value: Json, { contentDigest, hash }: PropertySubject): boolean {
  const { tstTokens } = value as { tstTokens: { val: string }[] }
  return tstTokens.every(({ val }) =>
    timestampsDigest(Buffer.from(val, 'base64'), contentDigest(), hash),
  )
}
