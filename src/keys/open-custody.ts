import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import type { Config } from '../config/schema.js'
import { HsmKeys, type FoundToken, type HsmKeysOptions } from './hsm-keys.js'
import type { WrappedKeyStore } from './hsm-wrapped.js'
import { isPinRefused, PinRefusedError, tokenErrorIn } from './pkcs11/ckr.js'
import type { TokenNeeds } from './pkcs11/probe.js'
import type { Ended } from './pkcs11/session-pool.js'
import { SeveralTokens } from './several-tokens.js'
import { tokenSettings } from './token-settings.js'

type CustodyConfig = Pick<Config, 'hsm'> & Partial<Pick<Config, 'newCredentials'>>
type Alarm = (message: string, cause: unknown) => void

/**
 * Loads the PKCS#11 library and logs in, in this process. Where `hsm.isolation` is `process`, that is the
 * key process.
 * @param found told what each token is and can do; for the log
 */
export function openCustody(
  config: CustodyConfig,
  alarm: Alarm = () => undefined,
  wrappedKeys?: WrappedKeyStore,
  ended?: Ended,
  found: (token: FoundToken) => void = () => undefined,
): Promise<HsmKeys | SeveralTokens> {
  const [first, ...more] = tokenSettings(config.hsm).map((hsm, index) => ({
    name: `${index + 1}: ${hsm.tokenLabel}`,
    open: () =>
      openOne(hsm, config, {
        alarm,
        ...(wrappedKeys ? { wrappedKeys } : {}),
        ...(ended ? { ended } : {}),
      }).then((keys) => {
        found(keys.found)
        return keys
      }),
  }))
  if (first === undefined) throw new Error('There are no tokens')
  return more.length === 0 ? first.open() : SeveralTokens.open([first, ...more], { alarm })
}

/** The first token alone, whatever it can do: for commands that look at it and prepare it. */
export function openForInspection({ hsm }: Pick<Config, 'hsm'>): Promise<HsmKeys> {
  const [first] = tokenSettings(hsm)
  if (first === undefined) throw new Error('There are no tokens')
  const needs = { algorithms: [], wrapped: false, sessions: first.sessions }
  const wrappedKeys = { find: () => Promise.resolve(null) }
  // What goes wrong is told as it is, not that something went wrong a moment ago.
  const inspected = { ...optionsOf(first), ...needs, wrappedKeys, reopenDelayMs: 0 }
  return HsmKeys.open(inspected).catch(named(first))
}

function openOne(
  token: TokenSettings,
  config: CustodyConfig,
  more: Pick<HsmKeysOptions, 'alarm' | 'wrappedKeys' | 'ended'>,
): Promise<HsmKeys> {
  const needs = { ...needsOf(config), sessions: token.sessions }
  return HsmKeys.open({ ...optionsOf(token), ...needs, ...more }).catch(named(token))
}

/** What this installation asks of its tokens. */
export function needsOf({ hsm, newCredentials }: CustodyConfig): TokenNeeds {
  return {
    wrapped: hsm.custody === 'wrapped' || newCredentials?.custody === 'wrapped',
    algorithms: [AUTHORITY_KEYS, ...(newCredentials ? [newCredentials.algorithm] : [])],
    sessions: hsm.sessions,
  }
}

function optionsOf(token: TokenSettings): HsmKeysOptions {
  const { module, tokenLabel, pinFile, signTimeoutSeconds, environment } = token
  const { tolerate, wrappingKey, unwrappedKeys, libraryParameters } = token
  Object.assign(process.env, environment)
  return {
    ...{ module, tokenLabel, tolerate, wrappingKey },
    ...(libraryParameters === undefined ? {} : { libraryParameters }),
    mostUnwrapped: unwrappedKeys,
    pin: readFileSync(pinFile, 'utf8').trim(),
    signTimeoutMs: signTimeoutSeconds * 1000,
  }
}

function named(token: TokenSettings) {
  return (error: unknown): never => {
    const why = [error instanceof Error ? error.message : String(error), ...hints(error, token)]
    const message = `The token "${token.tokenLabel}" could not be opened: ${why.join('. ')}`
    if (isPinRefused(error)) throw new PinRefusedError(message, { cause: error })
    throw new Error(message, { cause: error })
  }
}

/** What to look at, where the token does not say it. */
function hints(error: unknown, { module, pinFile, environment }: TokenSettings): string[] {
  if (isPinRefused(error)) return [`The PIN is in ${pinFile}`]
  const call = tokenErrorIn(error)?.call
  if (call !== 'C_Initialize' && call !== 'C_GetSlotList') return []
  const given = Object.entries(environment)
  const gone = given.filter(([, value]) => isAbsolute(value) && !existsSync(value))
  if (gone.length > 0) {
    return gone.map(
      ([name, value]) => `hsm.environment: ${name} names ${value}, which is not there`,
    )
  }
  const names = given.length > 0 ? given.map(([name]) => name).join(', ') : 'no variables'
  return [`Look at the settings of ${module} itself; hsm.environment has ${names} for it`]
}

type TokenSettings = ReturnType<typeof tokenSettings>[number]

/** Of the certification authority; everybody has one. */
const AUTHORITY_KEYS = 'p-384'
