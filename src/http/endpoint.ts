import { Kind, type Static, type TObject, type TSchema } from '@sinclair/typebox'
import type { Rest, Stay } from '../admission/gate.js'
import type { AccessToken, Scope } from './bearer.js'
import { MissingParameterError, RefusedRequestError, type ServiceError } from '../errors.js'
import type { JsonObject } from './json-body.js'
import type { Refusal } from './refusals.js'
import { validatorOf, type Validator } from '../validator.js'

/** What means something to a method besides its body: headers, and where they came from. */
export interface RequestHeaders {
  /** `Idempotency-Key`: names the request, so that it can be repeated; null when absent. */
  readonly idempotencyKey: string | null
  /** `Authorization` as it came, for the method that checks passwords; null when absent. */
  readonly authorization: string | null
  /** IP address of the application. */
  readonly address: string
  /** Makes room for others while the method only waits. */
  readonly rest: Rest
  /** Goes on taking up room while something is done that nobody waits for. */
  readonly stay: Stay
}

/** What is published of an API method (scripts/openapi.ts), and what clients may rely on. */
export interface EndpointDescription {
  readonly path: string
  /** What it does, in one line. */
  readonly summary: string
  /** Scopes of access token that open it; empty for none needed. */
  readonly scopes: readonly Scope[]
  readonly request: TObject
  readonly response: TSchema
  /** What it answers with 202 while it has no result; null when it never does. */
  readonly accepted: TSchema | null
  /** Whether it makes something and says so with 201 instead of 200. */
  readonly created: boolean
  /**
   * What it refuses besides what its request schema refuses and what every method does. Tests fail on
   * refusals that are not declared.
   */
  readonly refuses: readonly Refusal[]
  /** Whether an `Idempotency-Key` means something to it. */
  readonly repeatable: boolean
  /** Whether HTTP Basic is a way to sign in to it. */
  readonly basic: boolean
  /** Whether configuration can have it off. */
  readonly optional: boolean
  /** Whether it is ours, and in no edition of the specification: then `info` does not list it. */
  readonly extension: boolean
  /** Whether its body may be as large as the largest document makes it. */
  readonly takesDocuments: boolean
}

/** An API method: what it takes, what it answers, who may call it, and what it does. */
export interface Endpoint<Services, Answer = unknown> extends EndpointDescription {
  /** Whether configuration has it on. */
  isOn(services: Services): boolean
  /** @throws what `readInput` throws, and what the method refuses */
  invoke(
    body: JsonObject,
    caller: AccessToken | null,
    services: Services,
    headers: RequestHeaders,
  ): Promise<Answer>
}

/** An endpoint whose schemas are known to the compiler, for others that are made from it. */
export interface DefinedEndpoint<
  Request extends TObject,
  Response extends TSchema,
  Services,
> extends Endpoint<Services, Static<Response>> {
  readonly request: Request
  readonly response: Response
}

interface Definition<Request extends TObject, Response extends TSchema, Services> {
  readonly path: string
  readonly summary?: string
  readonly scopes: readonly Scope[]
  readonly request: Request
  readonly response: Response
  readonly accepted?: TSchema
  readonly created?: boolean
  /** On when absent. */
  isOn?(services: Services): boolean
  readonly refuses?: readonly Refusal[]
  readonly repeatable?: boolean
  readonly basic?: boolean
  readonly extension?: boolean
  readonly takesDocuments?: boolean
  /** Optional members that this caller has to send. */
  requires?(caller: AccessToken): readonly string[]
  handle(
    input: Static<Request>,
    caller: AccessToken,
    services: Services,
    headers: RequestHeaders,
  ): Promise<Result<Response>> | Result<Response>
}

type Result<Response extends TSchema> = Static<Response> | Accepted | Created | Large

/** What a method returns that answers with 202: there is no result yet. */
export class Accepted {
  readonly body: Readonly<Record<string, unknown>>
  constructor(body: Readonly<Record<string, unknown>>) {
    this.body = body
  }
}

/** What a method returns that answers with 201, and perhaps no body. */
export class Created {
  readonly body: Readonly<Record<string, unknown>> | null
  constructor(body: Readonly<Record<string, unknown>> | null) {
    this.body = body
  }
}

/** What a method returns that may answer with megabytes: each Buffer in it stands for its Base64. */
export class Large {
  readonly body: Readonly<Record<string, unknown>>
  constructor(body: Readonly<Record<string, unknown>>) {
    this.body = body
  }
}

/** What a method returns that answers with 204 and no body. */
export const NO_CONTENT = null

/** For methods that need no token, where nobody is the caller. */
const NOBODY: AccessToken = {
  ...{ clientId: '', userId: '', scope: 'service' as const },
  ...{ authorisationId: null, grantId: null, management: null, jkt: null, x5t: null },
}

export function defineEndpoint<Services>() {
  return <Request extends TObject, Response extends TSchema>(
    definition: Definition<Request, Response, Services>,
  ): DefinedEndpoint<Request, Response, Services> => {
    const { path, scopes, request, response } = definition
    const { summary = '', refuses = [], repeatable = false, basic = false } = definition
    const { accepted = null, created = false } = definition
    const { extension = false, takesDocuments = false } = definition
    const validate = validatorOf(request)
    return {
      ...{
        path,
        summary,
        scopes,
        request,
        response,
        accepted,
        created,
        refuses,
        repeatable,
        basic,
        extension,
        takesDocuments,
      },
      optional: definition.isOn !== undefined,
      isOn: (services) => definition.isOn?.(services) ?? true,
      async invoke(body, caller, services, headers) {
        const by = caller ?? NOBODY
        const input = readInput(request, validate, body, definition.requires?.(by))
        return definition.handle(input as Static<Request>, by, services, headers)
      },
    }
  }
}

/**
 * Checks types, in the order in which the members are declared: that is the order of the
 * specification's error tables. A null member counts as absent; members not declared are ignored.
 * @throws {MissingParameterError} @throws {RefusedRequestError} in the member's own `complaint`
 */
function readInput(
  schema: TObject,
  validate: Validator<unknown>,
  body: JsonObject,
  required: readonly string[] = [],
): unknown {
  const known = Object.entries(body).filter(
    ([name, value]) => name in schema.properties && value !== null,
  )
  const input: unknown = Object.fromEntries(known)
  const absent = required.filter((name) => !body[name])
  if (validate(input) && absent.length === 0) return input
  const misfits = validate.errors.map(({ instancePath, params }) => {
    const missing = (params as { missingProperty?: string }).missingProperty
    return instancePath.split('/')[1] ?? missing
  })
  const wrong = new Set([...absent, ...misfits])
  for (const [name, property] of Object.entries<TSchema>(schema.properties)) {
    if (wrong.has(name)) throw complaint(name, property)
  }
  throw new RefusedRequestError('Invalid request')
}

/** What the member is refused with when it is absent or wrong. */
export function complaint(name: string, property: TSchema): ServiceError {
  const sentence = property['complaint'] as string | undefined
  if (sentence !== undefined) return new RefusedRequestError(sentence)
  return new MissingParameterError(name, jsonType(property))
}

function jsonType(property: TSchema): MissingParameterError['type'] {
  switch (property[Kind]) {
    case 'Array':
      return 'array'
    case 'Boolean':
      return 'boolean'
    case 'Integer':
    case 'Number':
      return 'integer'
    case 'Object':
      return 'object'
    default:
      return 'string'
  }
}
