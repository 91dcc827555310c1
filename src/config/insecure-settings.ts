import { dirname } from 'node:path'
import type { ConfigProblem, ReadText } from './config-problem.js'
import { isLoopback } from './loopback.js'
import { absolute, databaseFile, isOpenToOthers } from './named-files.js'
import type { Config } from './schema.js'
import { listedProviders, tokenSettings } from './setting-problems.js'

const PROVIDER_ADDRESSES = [
  ...['issuer', 'endpoints.authorization', 'endpoints.token', 'endpoints.jwks'],
  ...['endpoints.userinfo', 'endpoints.pushedAuthorizationRequest', 'userinfo.jwksUri'],
] as const

/** S52: what is handy on a laptop must not reach production. */
export function productionProblems(
  config: unknown,
  read: ReadText,
  folder: string,
): ConfigProblem[] {
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
