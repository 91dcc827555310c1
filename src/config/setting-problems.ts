import { readFileSync } from 'node:fs'
import { ISSUER_FILES, issuerProblems } from './certificate-authority.js'
import type { ConfigProblem, ReadText } from './config-problem.js'
import { providerFiles, providerProblems } from './identity-providers.js'
import {
  absolute,
  certificatesProblem,
  databaseFile,
  databaseFileProblem,
  emptyFileProblem,
  fileProblem,
  ownFileProblem,
  secretFileProblem,
} from './named-files.js'
import { privateKeyProblem } from './private-key.js'
import type { Config } from './schema.js'
import { masterSecretProblem } from './secrets.js'

/** Addresses, other than `baseUrl`, that are not looked at elsewhere. */
const ADDRESSES = ['service.logo', 'tracing.endpoint', 'certificateAuthority.publicationUrl']

export function addressProblems(read: ReadText): ConfigProblem[] {
  const wrong = ADDRESSES.filter((setting) => {
    const address = read(setting)
    return address !== null && !URL.canParse(address)
  })
  return [
    ...baseUrlProblems(read),
    ...wrong.map((setting) => ({ setting, problem: 'is not a URL' })),
  ]
}

function baseUrlProblems(read: ReadText): ConfigProblem[] {
  const baseUrl = read('baseUrl')
  if (baseUrl === null) return []
  const { origin } = URL.canParse(baseUrl) ? new URL(baseUrl) : { origin: null }
  if (origin === baseUrl) return []
  const problem = origin === null ? 'is not a URL' : `write it as ${origin}`
  return [{ setting: 'baseUrl', problem }]
}

export function editionProblems(read: ReadText): ConfigProblem[] {
  const [major = 0, minor = 0] = (read('service.specs') ?? '').split('.').map(Number)
  const knowsServers = major > 2 || (major === 2 && minor >= 2)
  if (read('service.oauthMember') !== 'oauth2Servers' || knowsServers) return []
  return [{ setting: 'service.oauthMember', problem: 'oauth2Servers needs specs 2.2 or later' }]
}

/** RFC 9110, 5.6.2 and 5.5: what would make the gateway's request fail each time. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]+$/
const HEADER_VALUE = /^[\t\x20-\x7e]*$/

export function messageProblems(config: unknown, read: ReadText, folder: string): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const { sandbox, sms } = (config ?? {}) as Partial<Config>
  const checkSecret = (setting: string, path: string): void => {
    const file = absolute(path, folder)
    const problem = secretFileProblem(file) ?? emptyFileProblem(file)
    if (problem !== null) problems.push({ setting, problem })
  }
  const passwordFile = read('mail.passwordFile')
  if (passwordFile !== null) checkSecret('mail.passwordFile', passwordFile)
  const metricsToken = read('metrics.tokenFile')
  if (metricsToken !== null) checkSecret('metrics.tokenFile', metricsToken)
  const caFile = read('mail.caFile')
  const caProblem = caFile === null ? null : fileProblem(absolute(caFile, folder))
  if (caProblem !== null) problems.push({ setting: 'mail.caFile', problem: caProblem })
  if (read('sms.transport') !== 'http') return problems
  if (read('sms.url')?.startsWith('http://') && sandbox !== true) {
    problems.push({ setting: 'sms.url', problem: 'must be https outside the sandbox' })
  }
  const url = read('sms.url')
  if (url !== null && (!URL.canParse(url) || /[@#]/.test(url))) {
    problems.push({ setting: 'sms.url', problem: 'is not a URL without user and fragment' })
  }
  const { headers, headerFiles, body } = sms as {
    headers?: Record<string, unknown>
    headerFiles?: Record<string, unknown>
    body?: { template?: unknown }
  }
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (typeof value !== 'string' || (HEADER_NAME.test(name) && HEADER_VALUE.test(value))) continue
    problems.push({ setting: `sms.headers.${name}`, problem: 'is not a header' })
  }
  for (const [name, file] of Object.entries(headerFiles ?? {})) {
    if (typeof file !== 'string') continue
    const setting = `sms.headerFiles.${name}`
    checkSecret(setting, file)
    const isThere = fileProblem(absolute(file, folder)) === null
    const text = isThere ? readFileSync(absolute(file, folder), 'utf8').trim() : ''
    if (HEADER_NAME.test(name) && HEADER_VALUE.test(text)) continue
    problems.push({ setting, problem: 'is not a header' })
  }
  const template = JSON.stringify(body?.template ?? null)
  for (const placeholder of ['{to}', '{text}']) {
    if (template.includes(placeholder)) continue
    problems.push({ setting: 'sms.body.template', problem: `has no ${placeholder}` })
  }
  return problems
}

/** Names of the settings of tokens: the first one is `hsm` itself. */
export function tokenSettings(config: unknown): string[] {
  const { moreTokens } = (config as Partial<Config> | null)?.hsm ?? {}
  const more = Array.isArray(moreTokens) ? moreTokens : []
  return ['hsm', ...more.map((_, index) => `hsm.moreTokens.${index}`)]
}

export function fileProblems(config: unknown, read: ReadText, folder: string): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const check = (setting: string, problem: (file: string) => string | null): void => {
    const path = read(setting)
    const found = path === null ? null : problem(absolute(path, folder))
    if (found !== null) problems.push({ setting, problem: found })
  }
  check('secretsFile', (file) => secretFileProblem(file) ?? masterSecretProblem(file))
  for (const token of tokenSettings(config)) {
    check(`${token}.pinFile`, (file) => secretFileProblem(file) ?? emptyFileProblem(file))
    check(`${token}.module`, fileProblem)
  }
  check('auditHeadFile', ownFileProblem)
  const database = read('database')
  if (database !== null) {
    const problem = databaseProblem(database, folder)
    if (problem !== null) problems.push({ setting: 'database', problem })
  }
  return problems
}

function databaseProblem(database: string, folder: string): string | null {
  const file = databaseFile(database, folder)
  if (file === null) {
    const { pathname } = URL.canParse(database) ? new URL(database) : { pathname: null }
    if (pathname === null) return 'is not a URL'
    return /^\/[^/]+$/.test(pathname) ? null : 'names no database'
  }
  if (/^file::memory:|\?/.test(database)) return 'must be a file that outlives the process'
  return databaseFileProblem(file)
}

export function identityProviderProblems(
  config: unknown,
  read: ReadText,
  folder: string,
  wrong: ReadonlySet<string>,
): ConfigProblem[] {
  const providers = listedProviders(config)
  const problems = providerProblems(providers).filter(({ setting }) => !wrong.has(setting))
  const files = providers.flatMap((_, index) => providerFiles(index))
  for (const { setting, holds } of files) {
    const path = read(setting)
    if (path === null) continue
    const file = absolute(path, folder)
    const problem = secretFileProblem(file) ?? contentProblem(file, holds)
    if (problem !== null) problems.push({ setting, problem })
  }
  return problems
}

/** Whom we trust, and whom we ask for the time; the texts of policies. */
export function trustProblems(
  config: unknown,
  read: ReadText,
  folder: string,
  wrong: ReadonlySet<string>,
): ConfigProblem[] {
  const { timestamping, verification } = (config ?? {}) as Partial<Config>
  const external = Array.isArray(timestamping?.external) ? timestamping.external : []
  const problems: ConfigProblem[] = []
  const trusted = read('validation.anchorsFile')
  const untrusted = trusted === null ? null : certificatesProblem(absolute(trusted, folder))
  if (untrusted !== null) problems.push({ setting: 'validation.anchorsFile', problem: untrusted })
  const policies = Array.isArray(verification?.policies) ? verification.policies : []
  policies.forEach((_, index) => {
    const setting = `verification.policies.${index}.file`
    const file = read(setting)
    const problem = file === null ? null : fileProblem(absolute(file, folder))
    if (problem !== null && !wrong.has(setting)) problems.push({ setting, problem })
  })
  if (read('timestamping.source') === 'external' && external.length === 0) {
    problems.push({ setting: 'timestamping.external', problem: 'names no authority' })
  }
  external.forEach((_, index) => {
    const setting = `timestamping.external.${index}`
    const at = (name: string) => read(`${setting}.${name}`)
    const complain = (name: string, problem: string | null) => {
      const isNews = problem !== null && !wrong.has(`${setting}.${name}`)
      if (isNews) problems.push({ setting: `${setting}.${name}`, problem })
    }
    const [anchors, password] = [at('anchorsFile'), at('passwordFile')]
    if (anchors !== null) complain('anchorsFile', certificatesProblem(absolute(anchors, folder)))
    if (password !== null) {
      const file = absolute(password, folder)
      complain('passwordFile', secretFileProblem(file) ?? emptyFileProblem(file))
      const isPlain = at('url')?.startsWith('http://') ?? false
      if (isPlain) complain('url', 'must be https, or everybody on the way reads the password')
    }
    if ((at('user') === null) !== (password === null)) {
      complain(password === null ? 'passwordFile' : 'user', 'is missing')
    }
  })
  return problems
}

export function remoteIssuerProblems(
  { certificateAuthority: { issuer } }: Config,
  folder: string,
): ConfigProblem[] {
  const problems: ConfigProblem[] = issuerProblems(issuer)
  for (const [name, holds] of Object.entries(ISSUER_FILES)) {
    const path = (issuer as Partial<Record<string, unknown>>)[name]
    if (typeof path !== 'string') continue
    const file = absolute(path, folder)
    const problem =
      holds === 'certificates'
        ? certificatesProblem(file)
        : (secretFileProblem(file) ?? emptyFileProblem(file))
    if (problem !== null) problems.push({ setting: `certificateAuthority.issuer.${name}`, problem })
  }
  return problems
}

function contentProblem(
  file: string,
  holds: 'signing key' | 'decryption key' | 'secret',
): string | null {
  if (holds === 'secret') return emptyFileProblem(file)
  return privateKeyProblem(file, holds === 'signing key' ? 'signing' : 'decryption')
}

/** Providers that are objects at least, each with as much as it has. */
export function listedProviders(config: unknown): Partial<Config['identityProviders'][number]>[] {
  const { identityProviders } = (config ?? {}) as Partial<Config>
  if (!Array.isArray(identityProviders)) return []
  return identityProviders.map((each: unknown) =>
    typeof each === 'object' && each !== null ? each : {},
  )
}
