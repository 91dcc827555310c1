/** Refusals as responses: the schema holds exactly the declared pairs, each of them is an example, too. */
import type { RenderedError } from '../../src/csc/errors.js'
import { VARYING } from '../../src/http/refusals.js'
import type { Json } from './schemas.js'

type Pair = Pick<RenderedError, 'error' | 'error_description'>

const TITLES: Readonly<Record<number, string>> = {
  400: 'The request is refused.',
  401: 'The token is missing, unknown or out of date, or its proof is wrong.',
  403: 'The token is for something else.',
  413: 'The body is too large.',
  500: 'Something unforeseen happened, or nobody knows whether it signed; nothing is returned.',
  501: 'The method is off.',
  503: 'Not now; nothing was used up.',
}

/** By status, in ascending order. */
export function refusalResponses(refusals: readonly RenderedError[]): Map<number, Json> {
  const byStatus = grouped(refusals, ({ status }) => status)
  const statuses = [...byStatus.keys()].sort((a, b) => a - b)
  return new Map(
    statuses.map((status) => {
      const rendered = byStatus.get(status) ?? []
      const needsChallenge = rendered.every(({ challenge }) => challenge)
      const needsRetryAfter = rendered.every(({ retryAfter }) => retryAfter !== undefined)
      return [
        status,
        refusalResponse(TITLES[status] ?? 'The request is refused.', rendered, {
          ...(needsChallenge ? { 'WWW-Authenticate': header('WWW-Authenticate') } : {}),
          ...(needsRetryAfter ? { 'Retry-After': header('Retry-After') } : {}),
        }),
      ]
    }),
  )
}

export function refusalResponse(
  description: string,
  pairs: readonly Pair[],
  headers: Json = {},
): Json {
  const unique = [...new Map(pairs.map((pair) => [JSON.stringify(words(pair)), pair])).values()]
  return {
    description,
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    content: {
      'application/json': {
        schema: pairsSchema(unique),
        examples: Object.fromEntries(
          unique.map((pair, index) => [
            `refusal-${index + 1}`,
            { summary: pair.error_description, value: words(pair) },
          ]),
        ),
      },
    },
  }
}

function header(name: string): Json {
  return { $ref: `#/components/headers/${name}` }
}

function words({ error, error_description }: Pair): Pair {
  return { error, error_description }
}

/** Exactly these codes with these sentences. */
export function pairsSchema(pairs: readonly Pair[]): Json {
  const byError = [...grouped(pairs, ({ error }) => error)]
  const schemas = byError.map(([error, ofError]) => ({
    type: 'object',
    required: ['error', 'error_description'],
    additionalProperties: false,
    properties: {
      error: { type: 'string', const: error },
      error_description: {
        type: 'string',
        ...sentences(ofError.map(({ error_description }) => error_description)),
      },
    },
  }))
  return schemas.length === 1 ? (schemas[0] ?? {}) : { oneOf: schemas }
}

function sentences(all: readonly string[]): Json {
  const fixed = all.filter((sentence) => !sentence.includes(VARYING))
  const varying = all.filter((sentence) => sentence.includes(VARYING))
  if (varying.length === 0) return { enum: fixed }
  return {
    anyOf: [
      ...(fixed.length === 0 ? [] : [{ type: 'string', enum: fixed }]),
      ...varying.map((sentence) => ({
        type: 'string',
        pattern: `^${sentence.split(VARYING).map(escapePattern).join('.+')}$`,
      })),
    ],
  }
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
}

function grouped<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}
