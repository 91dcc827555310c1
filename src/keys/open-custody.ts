import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.js'
import { HsmKeys } from './hsm-keys.js'
import type { WrappedKeyStore } from './hsm-wrapped.js'

/**
 * Loads the PKCS#11 library and logs in, in this process. Where `hsm.isolation` is `process`, that is the
 * key process.
 */
export function openCustody(
  { hsm, newCredentials }: Pick<Config, 'hsm'> & Partial<Pick<Config, 'newCredentials'>>,
  alarm: (message: string, cause: unknown) => void = () => undefined,
  wrappedKeys?: WrappedKeyStore,
): Promise<HsmKeys> {
  const { module, tokenLabel, pinFile, sessions, signTimeoutSeconds, environment } = hsm
  const { tolerate, wrappingKey, unwrappedKeys, libraryParameters } = hsm
  const wrapped = hsm.custody === 'wrapped' || newCredentials?.custody === 'wrapped'
  Object.assign(process.env, environment)
  return HsmKeys.open({
    ...{ module, tokenLabel, sessions, alarm, tolerate, wrappingKey, wrapped },
    ...(libraryParameters === undefined ? {} : { libraryParameters }),
    ...(wrappedKeys ? { wrappedKeys } : {}),
    mostUnwrapped: unwrappedKeys,
    algorithms: [AUTHORITY_KEYS, ...(newCredentials ? [newCredentials.algorithm] : [])],
    pin: readFileSync(pinFile, 'utf8').trim(),
    signTimeoutMs: signTimeoutSeconds * 1000,
  }).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`The token "${tokenLabel}" could not be opened: ${why}`, { cause: error })
  })
}

/** Of the certification authority; everybody has one. */
const AUTHORITY_KEYS = 'p-384'
