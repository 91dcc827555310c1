import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import type { ErrorObject } from 'ajv'
import { ISSUER_FILES, issuerProblems, mapIssuerFiles } from './certificate-authority.js'
import { fileOf, isPostgresql } from './database-url.js'
import { providerFiles, providerProblems } from './identity-providers.js'
import { pemCertificates } from './pem-certificates.js'
import { privateKeyProblem } from './private-key.js'
import type { Config } from './schema.js'
import { masterSecretProblem } from './secrets.js'
import { hasShape } from './shape.js'

export interface ConfigProblem {
  /** Dotted path of the setting. */
  readonly setting: string
  readonly problem: string
}

/** Every problem of a configuration at once, so that an operator mends it in one go. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ setting, problem }) => `${setting}: ${problem}`).join('\n'))
    this.problems = problems
  }
}

/** Reads, completes and checks a configuration file. Nothing is opened before it passes. */
export function loadConfig(file: string, environment: NodeJS.ProcessEnv): Config {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    throw new ConfigError([{ setting: file, problem: 'cannot be read' }])
  }
  let settings: unknown
  try {
    settings = JSON.parse(text)
  } catch (error) {
    throw new ConfigError([{ setting: file, problem: `is not JSON: ${(error as Error).message}` }])
  }
  return checkConfig(withDatabase(settings, environment), dirname(resolve(file)), environment)
}

/** Where the password of a database comes from the environment, the file need not hold it. */
function withDatabase(settings: unknown, environment: NodeJS.ProcessEnv): unknown {
  const database = environment['OPENRSSP_DATABASE_URL']
  if (!database || typeof settings !== 'object') return settings
  return { ...settings, database }
}

/** @param folder where relative paths start */
export function checkConfig(
  settings: unknown,
  folder: string,
  environment: NodeJS.ProcessEnv,
): Config {
  const config: unknown = structuredClone(settings)
  const fits = hasShape(config)
  const problems = fits ? [] : shapeProblems(hasShape.errors ?? [])
  const wrong = new Set(problems.map(({ setting }) => setting))
  // Checks of single settings read those that have their shape, so that their problems show too.
  const read: ReadText = (setting) => (wrong.has(setting) ? null : textAt(config, setting))
  problems.push(
    ...addressProblems(read),
    ...editionProblems(read),
    ...fileProblems(config, read, folder),
    ...messageProblems(config, read, folder),
    ...identityProviderProblems(config, read, folder, wrong),
    ...trustProblems(config, read, folder, wrong),
    ...(fits ? remoteIssuerProblems(config, folder) : []),
    ...(environment['NODE_ENV'] === 'production' ? productionProblems(config, read, folder) : []),
  )
  if (!fits || problems.length > 0) throw new ConfigError(problems)
  return absolutePaths(config, folder)
}

type ReadText = (setting: string) => string | null

function textAt(config: unknown, setting: string): string | null {
  const value = setting
    .split('.')
    .reduce<unknown>(
      (part, name) => (part as Record<string, unknown> | null | undefined)?.[name],
      config,
    )
  return typeof value === 'string' ? value : null
}

/** One problem per setting, in words that need no look at the schema. */
function shapeProblems(errors: readonly ErrorObject[]): ConfigProblem[] {
  const problems = new Map<string, string>()
  // What is wrong with each of several alternatives says less than that none of them fits.
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf')
  const inUnion = ({ keyword, instancePath }: ErrorObject) =>
    keyword !== 'anyOf' &&
    unions.some((union) => `${instancePath}/`.startsWith(`${union.instancePath}/`))
  for (const error of errors) {
    if (inUnion(error)) continue
    const { setting, problem } = shapeProblem(error)
    if (!problems.has(setting)) problems.set(setting, problem)
  }
  return [...problems].map(([setting, problem]) => ({ setting, problem }))
}

function shapeProblem({ keyword, instancePath, params, parentSchema, message }: ErrorObject) {
  const path = instancePath.slice(1).replaceAll('/', '.')
  const below = (name: string) => (path === '' ? name : `${path}.${name}`)
  const { additionalProperty, missingProperty, pattern } = params as Record<string, string>
  if (additionalProperty !== undefined) {
    return { setting: below(additionalProperty), problem: 'is not a setting' }
  }
  if (missingProperty !== undefined) {
    return { setting: below(missingProperty), problem: 'is missing' }
  }
  const setting = path || '(file)'
  const { description = '', anyOf = [] } = (parentSchema ?? {}) as {
    description?: string
    anyOf?: { const?: string }[]
  }
  if (keyword === 'pattern') {
    return { setting, problem: `must match ${pattern}. ${description}`.trim() }
  }
  if (keyword === 'anyOf') {
    const choices = anyOf.flatMap((choice) => choice.const ?? [])
    const problem =
      choices.length === anyOf.length
        ? `must be one of ${choices.join(', ')}`
        : `has none of its forms. ${description}`
    return { setting, problem }
  }
  return { setting, problem: message ?? 'is wrong' }
}

function addressProblems(read: ReadText): ConfigProblem[] {
  const baseUrl = read('baseUrl')
  if (baseUrl === null) return []
  const { origin } = URL.canParse(baseUrl) ? new URL(baseUrl) : { origin: null }
  if (origin === baseUrl) return []
  const problem = origin === null ? 'is not a URL' : `write it as ${origin}`
  return [{ setting: 'baseUrl', problem }]
}

function editionProblems(read: ReadText): ConfigProblem[] {
  const [major = 0, minor = 0] = (read('service.specs') ?? '').split('.').map(Number)
  const knowsServers = major > 2 || (major === 2 && minor >= 2)
  if (read('service.oauthMember') !== 'oauth2Servers' || knowsServers) return []
  return [{ setting: 'service.oauthMember', problem: 'oauth2Servers needs specs 2.2 or later' }]
}

function absolute(path: string, folder: string): string {
  return isAbsolute(path) ? path : join(folder, path)
}

/** Null for a database that is not a file. */
function databaseFile(url: string, folder: string): string | null {
  return isPostgresql(url) ? null : absolute(fileOf(url), folder)
}

function absolutePaths(config: Config, folder: string): Config {
  const database = databaseFile(config.database, folder)
  const headFile = database === null ? 'openrssp.audit-head' : `${database}.audit-head`
  const { module, pinFile } = config.hsm
  const { tokenFile } = config.metrics
  const { anchorsFile } = config.validation
  return {
    ...config,
    database: database === null ? config.database : `file:${database}`,
    auditHeadFile: absolute(config.auditHeadFile ?? headFile, folder),
    secretsFile: absolute(config.secretsFile, folder),
    hsm: {
      ...config.hsm,
      module: absolute(module, folder),
      pinFile: absolute(pinFile, folder),
      moreTokens: config.hsm.moreTokens.map((token) => ({
        ...token,
        ...(token.module === undefined ? {} : { module: absolute(token.module, folder) }),
        ...(token.pinFile === undefined ? {} : { pinFile: absolute(token.pinFile, folder) }),
      })),
    },
    ...messagePaths(config, folder),
    metrics: {
      ...config.metrics,
      ...(tokenFile === undefined ? {} : { tokenFile: absolute(tokenFile, folder) }),
    },
    validation: {
      ...config.validation,
      ...(anchorsFile === undefined ? {} : { anchorsFile: absolute(anchorsFile, folder) }),
    },
    timestamping: {
      ...config.timestamping,
      external: config.timestamping.external.map((authority) => ({
        ...authority,
        anchorsFile: absolute(authority.anchorsFile, folder),
        ...(authority.passwordFile === undefined
          ? {}
          : { passwordFile: absolute(authority.passwordFile, folder) }),
      })),
    },
    certificateAuthority: {
      ...config.certificateAuthority,
      issuer: mapIssuerFiles(config.certificateAuthority.issuer, (file) => absolute(file, folder)),
    },
    identityProviders: config.identityProviders.map((provider) => {
      const { authentication, userinfo } = provider
      return {
        ...provider,
        authentication:
          authentication.method === 'private_key_jwt'
            ? { ...authentication, keyFile: absolute(authentication.keyFile, folder) }
            : { ...authentication, secretFile: absolute(authentication.secretFile, folder) },
        userinfo:
          userinfo.form === 'encrypted'
            ? { ...userinfo, keyFile: absolute(userinfo.keyFile, folder) }
            : userinfo,
      }
    }),
  }
}

/** Files and folders of the ways codes reach people. */
function messagePaths({ mail, sms }: Config, folder: string): Pick<Config, 'mail' | 'sms'> {
  const path = (file: string) => absolute(file, folder)
  return {
    ...(mail?.transport === 'outbox' ? { mail: { ...mail, folder: path(mail.folder) } } : {}),
    ...(mail?.transport === 'smtp'
      ? {
          mail: {
            ...mail,
            ...(mail.passwordFile === undefined ? {} : { passwordFile: path(mail.passwordFile) }),
            ...(mail.caFile === undefined ? {} : { caFile: path(mail.caFile) }),
          },
        }
      : {}),
    ...(sms?.transport === 'outbox' ? { sms: { ...sms, folder: path(sms.folder) } } : {}),
    ...(sms?.transport === 'http'
      ? {
          sms: {
            ...sms,
            headerFiles: Object.fromEntries(
              Object.entries(sms.headerFiles ?? {}).map(([name, file]) => [name, path(file)]),
            ),
          },
        }
      : {}),
  }
}

/** RFC 9110, 5.6.2 and 5.5: what would make the gateway's request fail each time. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]+$/
const HEADER_VALUE = /^[\t\x20-\x7e]*$/

function messageProblems(config: unknown, read: ReadText, folder: string): ConfigProblem[] {
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
  const { headers, headerFiles, body } = sms as Partial<Extract<Config['sms'], { url: string }>>
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (HEADER_NAME.test(name) && HEADER_VALUE.test(value)) continue
    problems.push({ setting: `sms.headers.${name}`, problem: 'is not a header' })
  }
  for (const [name, file] of Object.entries(headerFiles ?? {})) {
    const setting = `sms.headerFiles.${name}`
    checkSecret(setting, file)
    const found = statSync(absolute(file, folder), { throwIfNoEntry: false })
    const text = found?.isFile() ? readFileSync(absolute(file, folder), 'utf8').trim() : ''
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
function tokenSettings(config: unknown): string[] {
  const { moreTokens } = (config as Partial<Config> | null)?.hsm ?? {}
  const more = Array.isArray(moreTokens) ? moreTokens : []
  return ['hsm', ...more.map((_, index) => `hsm.moreTokens.${index}`)]
}

function fileProblems(config: unknown, read: ReadText, folder: string): ConfigProblem[] {
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
  check('auditHeadFile', (file) => folderProblem(dirname(file)))
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
  return folderProblem(dirname(file))
}

function identityProviderProblems(
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

/** Whom we trust, and whom we ask for the time. */
function trustProblems(
  config: unknown,
  read: ReadText,
  folder: string,
  wrong: ReadonlySet<string>,
): ConfigProblem[] {
  const { timestamping } = (config ?? {}) as Partial<Config>
  const external = Array.isArray(timestamping?.external) ? timestamping.external : []
  const problems: ConfigProblem[] = []
  const trusted = read('validation.anchorsFile')
  const untrusted = trusted === null ? null : certificatesProblem(absolute(trusted, folder))
  if (untrusted !== null) problems.push({ setting: 'validation.anchorsFile', problem: untrusted })
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

function remoteIssuerProblems(
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

function certificatesProblem(file: string): string | null {
  const problem = fileProblem(file)
  if (problem !== null) return problem
  try {
    return pemCertificates(readFileSync(file, 'utf8')).length > 0
      ? null
      : `${file} holds no certificate`
  } catch {
    return `${file} holds a certificate that cannot be read`
  }
}

function contentProblem(
  file: string,
  holds: 'signing key' | 'decryption key' | 'secret',
): string | null {
  if (holds === 'secret') return emptyFileProblem(file)
  return privateKeyProblem(file, holds === 'signing key' ? 'signing' : 'decryption')
}

/** Providers that are objects at least, each with as much as it has. */
function listedProviders(config: unknown): Partial<Config['identityProviders'][number]>[] {
  const { identityProviders } = (config ?? {}) as Partial<Config>
  if (!Array.isArray(identityProviders)) return []
  return identityProviders.map((each: unknown) =>
    typeof each === 'object' && each !== null ? each : {},
  )
}

function fileProblem(file: string): string | null {
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found) return `${file} does not exist`
  if (!found.isFile()) return `${file} is not a file`
  return isReadable(file) ? null : `${file} cannot be read`
}

function secretFileProblem(file: string): string | null {
  const problem = fileProblem(file)
  if (problem !== null) return problem
  return (statSync(file).mode & 0o077) === 0
    ? null
    : `${file} can be read by others; run chmod 600 on it`
}

function emptyFileProblem(file: string): string | null {
  return readFileSync(file, 'utf8').trim() === '' ? `${file} is empty` : null
}

function folderProblem(folder: string): string | null {
  const found = statSync(folder, { throwIfNoEntry: false })
  if (!found) return `${folder} does not exist`
  return found.isDirectory() ? null : `${folder} is not a folder`
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}

const PROVIDER_ADDRESSES = [
  ...['issuer', 'endpoints.authorization', 'endpoints.token', 'endpoints.jwks'],
  ...['endpoints.userinfo', 'endpoints.pushedAuthorizationRequest', 'userinfo.jwksUri'],
] as const

/** S52: what is handy on a laptop must not reach production. */
function productionProblems(config: unknown, read: ReadText, folder: string): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const refuse = (setting: string, problem: string): void => {
    problems.push({ setting, problem: `${problem} with NODE_ENV=production` })
  }
  if ((config as Partial<Config> | null)?.sandbox === true) refuse('sandbox', 'must be false')
  if (read('baseUrl')?.startsWith('http://')) refuse('baseUrl', 'must be https')
  if (read('log.level') === 'debug') refuse('log.level', 'must not be debug')
  if (read('mail.transport') === 'outbox') refuse('mail.transport', 'must not be outbox')
  if (read('sms.transport') === 'outbox') refuse('sms.transport', 'must not be outbox')
  listedProviders(config).forEach((_, index) => {
    for (const name of PROVIDER_ADDRESSES) {
      const setting = `identityProviders.${index}.${name}`
      if (read(setting)?.startsWith('http://')) refuse(setting, 'must be https')
    }
  })
  const database = read('database')
  const file = database === null ? null : databaseFile(database, folder)
  if (file !== null && isOpenToOthers(file, 0o004)) {
    refuse('database', `${file} must not be readable by everybody; run chmod 600 on it`)
  }
  for (const token of tokenSettings(config)) {
    const module = read(`${token}.module`)
    if (module !== null && isOpenToOthers(absolute(module, folder), 0o002)) {
      refuse(`${token}.module`, `${absolute(module, folder)} must not be writable by everybody`)
    }
  }
  return problems
}

function isOpenToOthers(file: string, bits: number): boolean {
  return ((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & bits) !== 0
}

/** Settings that are allowed but that an operator should know about, named one by one. */
export function insecureSettings(config: Config): string[] {
  const warnings: string[] = []
  if (config.sandbox)
    warnings.push('sandbox: demo users and clients whose secrets are in sandbox.json')
  if (!config.baseUrl.startsWith('https://')) warnings.push('baseUrl: plain http')
  if (config.hsm.module.includes('softhsm')) {
    warnings.push('hsm.module: SoftHSM keeps keys in files of this machine')
  }
  if (config.log.level === 'debug')
    warnings.push('log.level: debug tells more than production should')
  const { listen, tokenFile } = config.metrics
  if (listen && tokenFile === undefined && !isLoopback(listen.host)) {
    warnings.push('metrics.tokenFile: whoever reaches metrics.listen can read the metrics')
  }
  if (config.proxy.trusted && !config.proxy.addresses && !isLoopback(config.listen.host)) {
    warnings.push('proxy.trusted: whoever reaches listen.host directly can claim any address')
  }
  for (const { id, issuer } of config.identityProviders) {
    if (issuer.startsWith('http://')) warnings.push(`identityProviders: ${id} is plain http`)
  }
  warnings.push(...insecureDatabase(config))
  return warnings
}

function insecureDatabase(config: Config): string[] {
  const warnings: string[] = []
  const database = databaseFile(config.database, '/')
  if (database === null) {
    const { hostname, searchParams } = new URL(config.database)
    const isLocal = hostname === '' || isLoopback(hostname.replace(/[[\]]/g, ''))
    if (!isLocal && searchParams.get('sslmode') !== 'verify-full') {
      warnings.push(`database: who answers for ${hostname} is not checked; add sslmode=verify-full`)
    }
    return warnings
  }
  if (isOpenToOthers(database, 0o004))
    warnings.push(`database: ${database} is readable by everybody`)
  if (dirname(database) === dirname(config.auditHeadFile ?? database)) {
    warnings.push('auditHeadFile: lies beside the database; who can cut the log can cut it too')
  }
  return warnings
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
