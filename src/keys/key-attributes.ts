import type { KeyAlgorithm } from './algorithms.js'
import { TokenError } from './pkcs11/ckr.js'
import type { OptionalAttribute, PrivateKeyAttributes } from './pkcs11/session.js'
import { allowedMechanisms } from './pkcs11/templates.js'

type Demands = Partial<Omit<PrivateKeyAttributes, 'allowedMechanisms'>>

const SIGNING_ONLY: Demands = {
  private: true,
  sensitive: true,
  sign: true,
  signRecover: false,
  decrypt: false,
  unwrap: false,
  derive: false,
}

/** What the token has to state of a private key (S85). */
export const DEMANDED = {
  resident: {
    ...SIGNING_ONLY,
    token: true,
    alwaysSensitive: true,
    extractable: false,
    neverExtractable: true,
    local: true,
  },
  'to-be-wrapped': { ...SIGNING_ONLY, token: false, alwaysSensitive: true, local: true },
  /** Where it was before, a token cannot know; it is ours by the MAC of its blob. */
  unwrapped: { ...SIGNING_ONLY, token: false, extractable: false },
} satisfies Record<string, Demands>

/** Names of what is not as demanded; `tolerated` is what the token need not have. */
export function wrongAttributes(
  attributes: PrivateKeyAttributes,
  kind: keyof typeof DEMANDED,
  algorithm: KeyAlgorithm,
  tolerated: ReadonlySet<OptionalAttribute>,
): string[] {
  const demanded: Demands = DEMANDED[kind]
  const names = Object.keys(demanded) as (keyof Demands)[]
  const wrong: string[] = names.filter((name) => attributes[name] !== demanded[name])
  const mechanisms = allowedMechanisms(algorithm).toSorted().join()
  if (attributes.allowedMechanisms.toSorted().join() !== mechanisms) wrong.push('allowedMechanisms')
  return wrong.filter((name) => !tolerated.has(name as OptionalAttribute))
}

const TEMPLATE_REFUSALS = [
  'CKR_ATTRIBUTE_READ_ONLY',
  'CKR_ATTRIBUTE_TYPE_INVALID',
  'CKR_ATTRIBUTE_VALUE_INVALID',
  'CKR_TEMPLATE_INCONSISTENT',
  'CKR_TEMPLATE_INCOMPLETE',
]

const WAY_REFUSALS = [
  ...TEMPLATE_REFUSALS,
  'CKR_MECHANISM_INVALID',
  'CKR_MECHANISM_PARAM_INVALID',
  'CKR_FUNCTION_NOT_SUPPORTED',
  'CKR_KEY_FUNCTION_NOT_PERMITTED',
  'CKR_DATA_LEN_RANGE',
  'CKR_KEY_SIZE_RANGE',
]

/** Whether the token did not like the attributes it was given, rather than being in trouble. */
export function isTemplateRefusal(error: unknown): boolean {
  return isOneOf(TEMPLATE_REFUSALS, error)
}

/** Whether it did not like the attributes or the mechanism: another way may do. */
export function isWayRefusal(error: unknown): boolean {
  return isOneOf(WAY_REFUSALS, error)
}

function isOneOf(names: readonly string[], error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof TokenError && names.includes(cause.ckr.name)
}
