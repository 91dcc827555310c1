import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.js'
import { ResidentKeyCustody } from './hsm-resident.js'

/**
 * Loads the PKCS#11 library and logs in, in this process. Where `hsm.isolation` is `process`, that is the
 * key process.
 */
export function openCustody(
  { hsm }: Pick<Config, 'hsm'>,
  alarm: (message: string, cause: unknown) => void = () => undefined,
): Promise<ResidentKeyCustody> {
  const { module, tokenLabel, pinFile, sessions, signTimeoutSeconds, environment } = hsm
  Object.assign(process.env, environment)
  return ResidentKeyCustody.open({
    ...{ module, tokenLabel, sessions, alarm },
    pin: readFileSync(pinFile, 'utf8').trim(),
    signTimeoutMs: signTimeoutSeconds * 1000,
  }).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`The token "${tokenLabel}" could not be opened: ${why}`, { cause: error })
  })
}
