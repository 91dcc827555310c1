import type { Answer } from './exchange.js'
import { show } from './exchange.js'
import { NotMet } from './outcome.js'

/** The sentence the CSC API prints for a request that cannot be read at all. */
export const MALFORMED =
  'The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed.'
export const UNKNOWN_TOKEN = 'The token provided is not a valid OAuth access or refresh token.'
export const EXPIRED_TOKEN = 'The access or refresh token is expired or has been revoked.'

export function demand(condition: boolean, complaint: string): asserts condition {
  if (!condition) throw new NotMet(complaint)
}

export function same(actual: unknown, expected: unknown, what: string): void {
  demand(
    JSON.stringify(actual) === JSON.stringify(expected),
    `${what}: expected ${show(expected)}, got ${show(actual)}`,
  )
}

export function succeeded(answer: Answer, status = 200): Answer {
  demand(
    answer.status === status,
    `expected status ${status}, got ${answer.status}: ${answer.text.slice(0, 300)}`,
  )
  if (answer.json === null) return answer
  declaredAsJson(answer)
  demand(
    status === 202 || !answer.has('error'),
    `a success has the error ${show(answer.get('error'))}`,
  )
  return answer
}

/** JSON has to say that it is (CSC v2.0.0.2 §7.2). */
function declaredAsJson({ contentType }: Answer): void {
  const isJson = /^application\/([\w.-]+\+)?json\b/i.test(contentType)
  demand(isJson, `JSON is declared as ${contentType === '' ? 'nothing' : contentType}`)
}

/** `expiresIn` is there or not, but if it is it counts seconds (CSC v2.0.0.2 §11.6, §11.7, §11.9). */
export function demandLifetime(answer: Answer): void {
  const expiresIn = answer.get('expiresIn')
  const isCount = Number.isInteger(expiresIn) && Number(expiresIn) > 0
  demand(expiresIn === undefined || isCount, `expiresIn is ${show(expiresIn)}`)
  demand(!answer.has('expires_in'), 'it has expires_in, the name of OAuth')
}

/** What gives access or is personal is not for caches (RFC 9111 §5.2.2.5). */
export function demandNotStored({ headers }: Answer): void {
  const directives = headers.get('cache-control') ?? 'absent'
  demand(/\bno-store\b/i.test(directives), `Cache-Control is ${directives}, without no-store`)
}

/** What a refusal has to say. `words` null: any, as none are fixed. */
export interface Refusal {
  readonly status?: number | readonly number[]
  readonly error?: string | readonly string[]
  readonly words: string | readonly string[] | null
}

/** Demands a refusal in exactly these words, in the form every error has (CSC v2.0.0.2 §10.1). */
export function refused(answer: Answer, refusal: Refusal): void {
  const { status = 400, error = 'invalid_request', words } = refusal
  const statuses = typeof status === 'number' ? [status] : status
  const errors = typeof error === 'string' ? [error] : error
  demand(
    statuses.includes(answer.status),
    `expected status ${statuses.join(' or ')} and ${errors.join(' or ')}, got ${answer.status}: ${answer.text.slice(0, 300)}`,
  )
  demand(answer.json !== null, 'the body of a refusal is a JSON object')
  const actual = answer.string('error')
  demand(errors.includes(actual), `error: expected ${errors.join(' or ')}, got ${actual}`)
  declaredAsJson(answer)
  const fitting = STATUSES_OF[actual] ?? statuses
  demand(fitting.includes(answer.status), `${actual} is said with status ${answer.status}`)
  if (words === null) return
  const sentences = typeof words === 'string' ? [words] : words
  const said = answer.string('error_description')
  demand(
    sentences.includes(said),
    `error_description: expected "${sentences.join('" or "')}", got "${said}"`,
  )
}

/** The statuses that go with a code, wherever it is said (CSC v2.0.0.2 §10.1, §11.11; RFC 6750 §3.1). */
const STATUSES_OF: Readonly<Record<string, readonly number[]>> = {
  invalid_request: [400, 401],
  invalid_token: [401],
  expired_token: [401],
  insufficient_scope: [403],
  invalid_hash: [403],
}

/** A refusal of whatever kind; used where no status and no words are fixed. */
export function refusedSomehow(answer: Answer): void {
  demand(
    answer.status >= 400 && answer.status < 500,
    `expected a refusal, got ${answer.status}: ${answer.text.slice(0, 300)}`,
  )
}
