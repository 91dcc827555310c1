import { maskAuthorization, maskJson, maskParameters, type Exchange } from './protocol-log.js'

/** The service answered with a refusal. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, description: string) {
    super(description)
    this.status = status
    this.code = code
  }
}

export interface Call {
  readonly title: string
  readonly path: string
  readonly token?: string
  readonly body?: URLSearchParams | object
}

/** Calls the service and leaves a masked trace of each call. */
export class Http {
  readonly #record: (exchange: Exchange) => void
  constructor(record: (exchange: Exchange) => void) {
    this.#record = record
  }

  /** The JSON of the answer, or null when it has none. @throws {RefusedError} */
  async call({ title, path, token, body }: Call): Promise<unknown> {
    const form = body instanceof URLSearchParams
    const authorization = token === undefined ? undefined : `Bearer ${token}`
    const method = body ? 'POST' : 'GET'
    const started = performance.now()
    const response = await fetch(path, {
      method,
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
      headers: {
        accept: 'application/json',
        ...(body && !form ? { 'content-type': 'application/json' } : {}),
        ...(authorization ? { authorization } : {}),
      },
      ...(body ? { body: form ? body : JSON.stringify(body) } : {}),
    })
    const answer = parse(await response.text())
    this.#record({
      title,
      method,
      url: path,
      ...(authorization ? { authorization: maskAuthorization(authorization) } : {}),
      ...(body ? { request: form ? maskParameters(body) : maskJson(body) } : {}),
      status: response.status,
      ...(answer === null ? {} : { response: maskJson(answer) }),
      milliseconds: Math.round(performance.now() - started),
    })
    if (!response.ok) throw refusal(response.status, answer)
    return answer
  }
}

function parse(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    return null
  }
}

function refusal(status: number, answer: unknown): RefusedError {
  const { error, error_description } = (answer ?? {}) as Record<string, unknown>
  const code = typeof error === 'string' ? error : `status ${status}`
  return new RefusedError(
    status,
    code,
    typeof error_description === 'string' ? error_description : code,
  )
}
