/** One message between this page and the service, as developers may read it: secrets are masked. */
export interface Exchange {
  readonly title: string
  readonly method: 'GET' | 'POST' | 'redirect'
  readonly url: string
  readonly authorization?: string
  readonly request?: string
  readonly status?: number
  readonly response?: string
  readonly milliseconds?: number
}

const SECRETS = new Set([
  'access_token',
  'refresh_token',
  'id_token',
  'token',
  'code',
  'code_verifier',
  'SAD',
])
const LONGEST = 120

export function mask(secret: string): string {
  return `‹${secret.length} characters, masked›`
}

export function maskAuthorization(header: string): string {
  const [scheme = '', ...rest] = header.split(' ')
  return `${scheme} ${mask(rest.join(' '))}`
}

/** A query string or form, one parameter a line. */
export function maskParameters(parameters: URLSearchParams): string {
  return [...parameters].map(([name, value]) => `${name}=${shown(name, value)}`).join('\n')
}

export function maskJson(value: unknown): string {
  return JSON.stringify(value, (name, member: unknown) =>
    typeof member === 'string' ? shown(name, member) : member, 2) // prettier-ignore
}

function shown(name: string, value: string): string {
  if (SECRETS.has(name)) return mask(value)
  if (value.length <= LONGEST) return value
  return `${value.slice(0, LONGEST)}… (${value.length} characters)`
}
