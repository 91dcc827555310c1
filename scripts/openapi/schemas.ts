/** JSON Schemas as they are published: without our own keywords, shared ones in one place, answers closed. */

export type Json = Readonly<Record<string, unknown>>

/** Members of a request are ours to read; those we do not know are ignored. */
export function publishRequest(schema: object): Json {
  return publish(schema as Json, new Map(), false)
}

/** Members of an answer are all declared. Schemas with a `title` go to `shared` and are referred to. */
export function publishResponse(schema: object, shared: Map<string, Json>): Json {
  return publish(schema as Json, shared, true)
}

/** Of no interest outside: what ajv is told, and the name of a shared schema. */
const OURS: ReadonlySet<string> = new Set(['complaint', 'title'])

function publish(schema: Json, shared: Map<string, Json>, closed: boolean): Json {
  const { title } = schema
  const published = publishMembers(schema, shared, closed)
  if (typeof title !== 'string') return published
  shared.set(title, published)
  return { $ref: `#/components/schemas/${title}` }
}

function publishMembers(schema: Json, shared: Map<string, Json>, closed: boolean): Json {
  const { anyOf, properties, items, ...rest } = Object.fromEntries(
    Object.entries(schema).filter(([name]) => !OURS.has(name)),
  )
  const inner = (each: unknown) => publish(each as Json, shared, closed)
  const choices = anyOf as readonly Json[] | undefined
  const values = choices?.map((choice) => choice['const'])
  return {
    ...(rest['contentEncoding'] && rest['type'] === undefined ? { type: 'string' } : {}),
    ...rest,
    ...(values?.every((value) => typeof value === 'string')
      ? { type: 'string', enum: values }
      : choices && { anyOf: choices.map(inner) }),
    ...(items ? { items: inner(items) } : {}),
    ...(properties
      ? {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, property]) => [name, inner(property)]),
          ),
          ...(closed ? { additionalProperties: false } : {}),
        }
      : {}),
  }
}
