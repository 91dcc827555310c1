import { compileAuthExpression } from '../../credentials/auth-object.js'
import type { CredentialInfo } from '../credential-info.js'

type AuthObject = NonNullable<CredentialInfo['auth']['objects']>[number]

/** A factor as v1 knows it: `optional` when others can stand in for it. */
export interface V1Factor {
  readonly object: AuthObject
  readonly presence: 'true' | 'optional'
}

/** How a credential is authorised in v1 (11.5): at most one PIN and one one-time code. */
export interface V1Authorisation {
  readonly authMode: 'implicit' | 'explicit' | 'oauth2code'
  readonly pin: V1Factor | null
  readonly otp: V1Factor | null
  /** What an application starts without knowing, when the mode is implicit. */
  readonly outOfBand: readonly AuthObject[]
}

/**
 * The authorisation of a credential in terms of v1, or null when v1 has no words for it: for two PINs,
 * for two codes, for one or the other but not both.
 * @param auth with its objects
 */
export function v1Authorisation(auth: CredentialInfo['auth']): V1Authorisation | null {
  const { mode, objects = [], expression = null } = auth
  const none = { pin: null, otp: null, outOfBand: [] }
  if (mode === 'oauth2code') return { authMode: mode, ...none }
  if (objects.every(isOutOfBand)) return { authMode: 'implicit', ...none, outOfBand: objects }
  const pins = objects.filter(isSecret)
  const codes = objects.filter((each) => !isSecret(each) && !isOutOfBand(each))
  if (pins.length > 1 || codes.length > 1 || objects.some(isOutOfBand)) return null
  const suffices = compileAuthExpression(expression, objects)
  const ids = objects.map(({ id }) => id)
  if (!suffices(new Set(ids))) return null
  const factor = (object: AuthObject | undefined): V1Factor | null => {
    if (!object) return null
    const dispensable = suffices(new Set(ids.filter((id) => id !== object.id)))
    return { object, presence: dispensable ? 'optional' : 'true' }
  }
  return { ...none, authMode: 'explicit', pin: factor(pins[0]), otp: factor(codes[0]) }
}

/** Whether the code has to be asked for with `credentials/sendOTP`. */
export function isOnline({ type }: AuthObject): boolean {
  return type === 'ChallengeResponse'
}

/** What the person knows; a password with a generator is a code. */
function isSecret({ type, generator }: AuthObject): boolean {
  return type === 'Password' && generator === undefined
}

function isOutOfBand({ type }: AuthObject): boolean {
  return type.endsWith('OOB')
}
