import { randomInt } from 'node:crypto'
import type { Config } from '../config/schema.js'
import { AUTH_OBJECTS, compileAuthExpression } from '../credentials/auth-object.js'
import type { ApprovalFactor } from '../credentials/credential.js'
import type { NewCredential } from '../credentials/credentials.js'
import type { User } from '../identity/user.js'
import type { ClientStore } from '../oauth/client.js'
import { CommandError } from './command-line.js'

/** That of a seal is kept by a machine, so it may be longer than what people remember. */
const PIN_DIGITS = { person: 6, seal: 12 } as const

export const OBJECT_IDS = Object.keys(AUTH_OBJECTS) as ObjectId[]
type ObjectId = keyof typeof AUTH_OBJECTS

/** How signatures with a new credential are agreed to, as said on the command line. */
export interface AgreementOptions {
  readonly approval: ApprovalFactor
  readonly withPin?: true
  readonly explicit?: readonly ObjectId[]
  readonly expression?: string
  readonly sealOf?: string
  readonly withoutPin?: true
}

/** How codes reach people, and who else says who they are. */
type Ways = Pick<Config, 'mail' | 'sms' | 'identityProviders'>

/** How a person agrees: on our pages, or with factors that applications collect. */
export function agreementOfOwner(
  user: User,
  { explicit: ids, expression, approval, withPin }: AgreementOptions,
  ways: Ways,
): Pick<NewCredential, 'explicit' | 'pin'> {
  if (ids === undefined) {
    if (expression !== undefined) throw new CommandError('--expression is for --explicit.')
    rejectUnreachable(user, [approval], ways)
    return { pin: withPin ? newPin(PIN_DIGITS.person) : null }
  }
  const objects = [...new Set(ids)].map((id) => AUTH_OBJECTS[id])
  try {
    compileAuthExpression(expression ?? null, objects)
  } catch {
    throw new CommandError(
      `The expression combines ${ids.join(', ')} with AND, OR, XOR and parentheses.`,
    )
  }
  // Only what is confirmed on another device is approved on our pages, too.
  const onOurPages = ids.includes('PUSH')
  if (onOurPages && approval === 'id-bb') {
    throw new CommandError('What is approved at an identity provider cannot have PUSH.')
  }
  const idlePin = withPin && !ids.includes('PIN')
  if (!onOurPages && (approval !== 'otp' || idlePin)) {
    throw new CommandError(
      '--approval and --with-pin are for our pages: leave them out, or add PUSH to --explicit.',
    )
  }
  rejectUnreachable(user, [...ids, ...(onOurPages ? [approval] : [])], ways)
  const takesPin = withPin || ids.includes('PIN')
  return {
    explicit: { objects, expression: expression ?? null },
    pin: takesPin ? newPin(PIN_DIGITS.person) : null,
  }
}

/** @throws {CommandError} when codes of these kinds have no way to go, or nowhere, or nobody is there to ask */
function rejectUnreachable(
  { username, email, phone }: User,
  kinds: readonly (ApprovalFactor | ObjectId)[],
  { mail, sms, identityProviders }: Ways,
): void {
  const asksFor = (kind: 'email' | 'sms' | 'id-bb') =>
    kinds.some((each) => each.toLowerCase() === kind)
  const unset = [
    ...(asksFor('email') && !mail ? ['mail'] : []),
    ...(asksFor('sms') && !sms ? ['sms'] : []),
    ...(asksFor('id-bb') && identityProviders.length === 0 ? ['identityProviders'] : []),
  ]
  if (unset.length > 0) {
    throw new CommandError(`Nobody could approve yet; first configure ${unset.join(' and ')}.`)
  }
  const missing = [
    ...(asksFor('email') && email === null ? ['--email'] : []),
    ...(asksFor('sms') && phone === null ? ['--phone'] : []),
  ]
  if (missing.length === 0) return
  throw new CommandError(
    `Codes cannot be sent yet; first: openrssp user set ${username} ${missing.join(' ')}`,
  )
}

/** What makes a credential a seal; null for a person's. Its PIN is printed once, for the application to keep. */
export async function agreementOfSeal(
  { sealOf: ownerClientId, withoutPin, withPin, expression, approval }: AgreementOptions,
  clients: ClientStore,
): Promise<Pick<NewCredential, 'ownerClientId' | 'explicit' | 'pin'> | null> {
  if (ownerClientId === undefined) {
    if (withoutPin) throw new CommandError('--without-pin is for seals: say --seal-of.')
    return null
  }
  if (withPin || expression !== undefined || approval !== 'otp') {
    throw new CommandError('A seal takes a PIN, or --without-pin; nobody approves it.')
  }
  const client = await clients.find(ownerClientId)
  if (!client?.grantTypes.includes('client_credentials')) {
    throw new CommandError(`"${ownerClientId}" is no client that gets tokens for itself.`)
  }
  const objects = withoutPin ? [] : [AUTH_OBJECTS.PIN]
  const pin = withoutPin ? null : newPin(PIN_DIGITS.seal)
  return { ownerClientId, explicit: { objects, expression: null }, pin }
}

function newPin(digits: number): string {
  return String(randomInt(10 ** digits)).padStart(digits, '0')
}
