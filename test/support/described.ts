import assert from 'node:assert/strict'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { cscDocument } from '../../scripts/openapi/csc-document.js'
import { oauthDocument } from '../../scripts/openapi/oauth-document.js'
import { CSC_MOUNTS } from '../../src/csc/index.js'

/** An API as its OpenAPI document describes it. */
export interface Description {
  readonly name: string
  /** Paths of the document start here. */
  readonly base: string
  readonly document: OpenApiDocument
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, object>>>>
}

export interface Operation {
  readonly parameters?: readonly object[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> }
  readonly responses: Readonly<Record<string, object>>
}

interface DescribedResponse {
  readonly headers?: Readonly<Record<string, object>>
  readonly content?: Readonly<Record<string, object>>
}

interface Described {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

/** What openapi/ says, made from the endpoints as they are now. */
export const DESCRIPTIONS: readonly Description[] = [
  ...CSC_MOUNTS.map((mount) => ({
    name: `csc-${mount.version}`,
    base: mount.base,
    document: cscDocument(mount) as unknown as OpenApiDocument,
  })),
  { name: 'oauth', base: '', document: oauthDocument() as unknown as OpenApiDocument },
]

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
for (const { name, document } of DESCRIPTIONS) ajv.addSchema(document, name)

/** Demands that an answer is one that the description of the API promises. */
export function assertDescribed(method: string, path: string, answer: Described): void {
  const { name, base, document } = descriptionOf(path)
  const below = nameOf(path.slice(base.length))
  const operations = document.paths[below]
  const operation = operations?.[method.toLowerCase()]
  if (!operation) {
    const isPage = /^\/(oauth2\/(interaction|authorize)\/|openapi\.json$)/.test(below)
    if (base !== '' && method !== 'HEAD' && !isPage) assertAbsent(answer, operations)
    return
  }
  const what = `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`
  const entry = operation.responses[String(answer.status)]
  assert.ok(entry, `not a status that ${name} declares: ${what}`)
  const pointer = ['paths', below, method.toLowerCase(), 'responses']
  const { response, at } = follow(document, entry, [...pointer, String(answer.status)])
  for (const header of Object.keys(response.headers ?? {})) {
    assert.ok(answer.headers.has(header), `no ${header}: ${what}`)
  }
  const media = mediaOf(answer)
  if (!response.content) {
    assert.ok(answer.body === '', `a body that ${name} does not declare: ${what}`)
    return
  }
  // What was made is described on request only.
  if (answer.status === 201 && answer.body === '') return
  assert.ok(response.content[media], `${media} is not what ${name} declares: ${what}`)
  if (!media.endsWith('json')) return
  const validate = validatorOf(name, [...at, 'content', media, 'schema'])
  assert.ok(
    validate(answer.body),
    `not as ${name} declares: ${what}\n${ajv.errorsText(validate.errors)}`,
  )
}

/** The last of them has no base: it describes what is left. */
function descriptionOf(path: string): Description {
  const owner = DESCRIPTIONS.find(({ base }) => path.startsWith(`${base}/`))
  assert.ok(owner, path)
  return owner
}

/** Addresses that wallets derive count as those of the specification; so do slashes too many. */
function nameOf(path: string): string {
  const tidy = path.replaceAll(/\/{2,}/g, '/').replace(/(.)\/$/, '$1')
  return tidy
    .replace(/^\/authorize$/, '/oauth2/authorize')
    .replace(/^(\/oauth)?\/revoke$/, '/oauth2/revoke')
}

/** Of methods that can be off, either will do. */
function assertAbsent(
  { status, body }: Described,
  operations: Readonly<Record<string, Operation>> | undefined,
): void {
  const { error } = body as { error?: string }
  const canBeOff = operations === undefined || operations['post']?.responses['501'] !== undefined
  if (canBeOff && status === 501) assert.equal(error, 'not_implemented')
  else assert.deepEqual([status, error], [operations ? 405 : 501, 'invalid_request'])
}

function mediaOf({ headers }: Described): string {
  return (headers.get('content-type') ?? '').split(';')[0]?.trim() ?? ''
}

/** The response itself, and where it stands. */
function follow(
  document: OpenApiDocument,
  entry: object,
  at: readonly string[],
): { response: DescribedResponse; at: readonly string[] } {
  const { $ref } = entry as { $ref?: string }
  if ($ref === undefined) return { response: entry, at }
  const [, components = '', kind = '', name = ''] = $ref.split('/')
  return {
    response: document.components[kind]?.[name] ?? {},
    at: [components, kind, name],
  }
}

const validators = new Map<string, ValidateFunction>()

/** Compiled when it is needed first, once in each process. */
function validatorOf(name: string, path: readonly string[]): ValidateFunction {
  const pointer = path.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')
  const $ref = `${name}#/${pointer.replaceAll('%', '%25')}`
  const known = validators.get($ref)
  if (known) return known
  const validate = ajv.compile({ $ref })
  validators.set($ref, validate)
  return validate
}
