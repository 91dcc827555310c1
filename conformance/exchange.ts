import { NotMet } from './outcome.js'

export type Json = Readonly<Record<string, unknown>>
export type HeaderFields = Readonly<Record<string, string>>
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** One request and its answer, as the report shows them; secrets are still in it. */
export interface Exchange {
  readonly method: string
  readonly url: string
  readonly headers: HeaderFields
  readonly body: string | null
  readonly status: number
  readonly answerHeaders: HeaderFields
  readonly answerBody: string
  readonly milliseconds: number
}

export interface HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers?: HeaderFields
  readonly body?: string | null
}

const TIMEOUT_MILLISECONDS = 30_000
/** Names whose values never appear in a report. */
const SECRET_NAMES =
  /^(access_token|refresh_token|token|SAD|code|code_verifier|client_secret|client_assertion|dpop|password|pin|PIN|otp|OTP|account_token|cookie|set-cookie|_.*csrf.*)$/i
const MASK = '[masked]'

/** Sends requests and keeps what was said, until it is taken out. */
export class Http {
  readonly #fetch: Fetch
  readonly #secrets = new Set<string>()
  /** Milliseconds by which the clock behind an origin is ahead of ours, as its `Date` says. */
  readonly #ahead = new Map<string, number>()
  #log: Exchange[] = []

  constructor(fetch: Fetch, secrets: readonly string[] = []) {
    this.#fetch = fetch
    for (const secret of secrets) this.keepSecret(secret)
  }

  async send({ method, url, headers = {}, body = null }: HttpRequest): Promise<Answer> {
    const started = Date.now()
    const response = await this.#fetch(url, {
      method,
      headers,
      ...(body === null ? {} : { body }),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    })
    const text = await response.text()
    const answer = new Answer(url, response, text)
    this.#learnSecrets(answer)
    this.#learnTime(answer)
    this.#log.push({
      ...{ method, url, headers, body, status: response.status },
      answerHeaders: Object.fromEntries(response.headers),
      answerBody: text,
      milliseconds: Date.now() - started,
    })
    return answer
  }

  /** The exchanges since the last call of `forgetLog`, without the secrets in them. */
  maskedLog(): Exchange[] {
    return this.#log.map((exchange) => this.#masked(exchange))
  }

  forgetLog(): void {
    this.#log = []
  }

  keepSecret(value: string): void {
    if (value.length < 4) return
    this.#secrets.add(value)
    if (encodeURIComponent(value) !== value) this.#secrets.add(encodeURIComponent(value))
  }

  /** What time it is there by the `Date` of its last answer (RFC 9110 §6.6.1); null before the first. */
  timeAt(url: string): Date | null {
    const ahead = this.#ahead.get(new URL(url).origin)
    return ahead === undefined ? null : new Date(Date.now() + ahead)
  }

  #learnTime({ url, headers }: Answer): void {
    const time = Date.parse(headers.get('date') ?? '')
    if (!Number.isNaN(time)) this.#ahead.set(new URL(url).origin, time - Date.now())
  }

  #learnSecrets({ json }: Answer): void {
    for (const name of ['access_token', 'refresh_token', 'SAD']) {
      const value = json?.[name]
      if (typeof value === 'string') this.keepSecret(value)
    }
  }

  mask(text: string): string {
    let masked = text
    for (const secret of this.#secrets) masked = masked.replaceAll(secret, MASK)
    return masked
  }

  #masked(exchange: Exchange): Exchange {
    const hide = (headers: HeaderFields): HeaderFields =>
      Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, this.#maskHeader(name, value)]),
      )
    return {
      ...exchange,
      url: this.#maskQuery(exchange.url),
      headers: hide(exchange.headers),
      body: exchange.body === null ? null : this.#maskBody(exchange.body),
      answerHeaders: hide(exchange.answerHeaders),
      answerBody: this.#maskBody(exchange.answerBody),
    }
  }

  #maskHeader(name: string, value: string): string {
    if (SECRET_NAMES.test(name)) return MASK
    if (/^authorization$/i.test(name)) return value.replace(/^(\S+) .*$/s, `$1 ${MASK}`)
    if (/^location$/i.test(name)) return this.#maskQuery(value)
    return this.mask(value)
  }

  #maskQuery(url: string): string {
    return this.mask(
      url.replace(/([?&]([^=&#]+)=)([^&#]*)/g, (all, start: string, name: string) =>
        SECRET_NAMES.test(name) ? `${start}${encodeURIComponent(MASK)}` : all,
      ),
    )
  }

  /** JSON by member, forms by field, anything else by the values that are known to be secret. */
  #maskBody(body: string): string {
    const json = parse(body)
    if (typeof json === 'object' && json !== null)
      return this.mask(JSON.stringify(maskMembers(json)))
    if (/^[\w.%+-]+=/.test(body)) return this.#maskQuery(`?${body}`).slice(1)
    return this.mask(body)
  }
}

function maskMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(maskMembers)
  if (typeof value !== 'object' || value === null) return value
  const isAuthAnswer = 'id' in value && 'value' in value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const secret = SECRET_NAMES.test(name) || (isAuthAnswer && name === 'value')
      return [name, secret && typeof member === 'string' && member ? MASK : maskMembers(member)]
    }),
  )
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return null
  }
}

/** What the server answered. The accessors complain when something is missing or of another type. */
export class Answer {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Null unless the body is a JSON object. */
  readonly json: Json | null

  constructor(url: string, response: Response, text: string) {
    this.url = url
    this.status = response.status
    this.headers = response.headers
    this.text = text
    const value = parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    this.json = isObject ? (value as Json) : null
  }

  get contentType(): string {
    return this.headers.get('content-type') ?? ''
  }

  has(name: string): boolean {
    return this.json !== null && Object.hasOwn(this.json, name) && this.json[name] !== null
  }

  get(name: string): unknown {
    return this.json?.[name]
  }

  string(name: string): string {
    return stringOf(this.json ?? {}, name)
  }

  strings(name: string): string[] {
    return stringsOf(this.json ?? {}, name)
  }

  object(name: string): Json {
    return objectOf(this.json ?? {}, name)
  }

  objects(name: string): Json[] {
    const value = this.json?.[name]
    if (!Array.isArray(value) || !value.every(isObject)) {
      throw new NotMet(`${name} is not an array of objects but ${show(value)}`)
    }
    return value
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function stringOf(json: Json, name: string): string {
  const value = json[name]
  if (typeof value !== 'string') throw new NotMet(`${name} is not a string but ${show(value)}`)
  return value
}

export function stringsOf(json: Json, name: string): string[] {
  const value = json[name]
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
    throw new NotMet(`${name} is not an array of strings but ${show(value)}`)
  }
  return value
}

export function objectOf(json: Json, name: string): Json {
  const value = json[name]
  if (!isObject(value)) throw new NotMet(`${name} is not an object but ${show(value)}`)
  return value
}

export function show(value: unknown): string {
  if (value === undefined) return 'absent'
  const text = JSON.stringify(value)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
