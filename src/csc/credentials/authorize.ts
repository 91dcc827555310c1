import { randomUUID } from 'node:crypto'
import { Type, type Static } from '@sinclair/typebox'
import { compileAuthExpression, type AuthObject } from '../../credentials/auth-object.js'
import { isApprovedAnywhere, type Credential } from '../../credentials/credential.js'
import {
  CredentialLockedError,
  InvalidAuthenticationDataError,
  InvalidParameterError,
  MissingParameterError,
  RefusedRequestError,
  UnauthorizedClientError,
} from '../../errors.js'
import type { AccessToken } from '../../http/bearer.js'
import { Accepted } from '../../http/endpoint.js'
import { inWords, invalid, missing } from '../../http/refusals.js'
import type { FactorOutcome, GivenFactor } from '../../identity/signing-factors.js'
import { hashAlgorithmByOid } from '../../keys/algorithms.js'
import { decodeHashes } from '../hashes.js'
import {
  ApprovalHandle,
  ClientData,
  CredentialID,
  Digest,
  FOREIGN_CREDENTIAL,
  HashAlgorithmOID,
  IssuedSad,
  UNFIT_DIGESTS,
  UNUSABLE_CREDENTIAL,
} from '../parameters.js'
import { defineCscEndpoint, type CscServices } from '../services.js'

const FORMATS = { A: /^[A-Za-z0-9]{1,128}$/, N: /^[0-9]{1,64}$/ } as const

/** An answer to one authentication object; one with a side channel has no value. */
const AuthAnswer = Type.Object({
  id: Type.String({ description: '`id` of the object in `auth.objects`.' }),
  value: Type.Optional(
    Type.String({ description: 'PIN, password or code, as the signer typed it.' }),
  ),
})

const Request = Type.Object({
  credentialID: CredentialID,
  numSignatures: Type.Integer({ description: 'How many signatures; at most its `multisign`.' }),
  hashes: Type.Optional(
    Type.Array(Digest, { description: 'Digests to authorise; required at SCAL 2.' }),
  ),
  hashAlgorithmOID: HashAlgorithmOID,
  authData: Type.Optional(
    Type.Array(AuthAnswer, { description: 'Answers to the auth.objects of the credential.' }),
  ),
  description: Type.Optional(
    Type.String({
      maxLength: 500,
      complaint: 'Invalid parameter description',
      description: 'What is signed, in words for the signer.',
    }),
  ),
  clientData: ClientData,
})
type Input = Static<typeof Request>

/**
 * Authorises an explicit credential with factors the application collected or, with 202, has its owner
 * asked on another device (CSC API v2, 11.6).
 */
export const authorize = defineCscEndpoint({
  path: '/credentials/authorize',
  summary: 'Authorise signatures with factors the application collected',
  scopes: ['service', 'client'],
  request: Request,
  response: IssuedSad,
  accepted: ApprovalHandle,
  refuses: [
    ...FOREIGN_CREDENTIAL,
    ...UNUSABLE_CREDENTIAL,
    'unauthorized-client',
    ...inWords('Invalid value for parameter numSignatures'),
    ...invalid('numSignatures'),
    'too-many-signatures',
    ...missing('array', 'hashes'),
    ...missing('string', 'hashAlgorithmOID'),
    ...UNFIT_DIGESTS,
    'invalid-authentication-data',
    'credential-locked',
  ],

  async handle(input, caller, services) {
    const { credentials, transactions, activations, approvals } = services
    const credential = await credentials.findFor(caller, input.credentialID)
    if (!credential) throw new InvalidParameterError('credentialID')
    credentials.rejectUnusable(credential)
    if (credential.authMode !== 'explicit') throw new UnauthorizedClientError('oauth2code')
    const transaction = transactions.prepare(randomUUID(), requested(input, credential, caller))
    const answers = readAnswers(input.authData ?? [], credential)
    const waits = isDecidedElsewhere(answers, credential, caller)
    if (waits && !isApprovedAnywhere(credential))
      throw new UnauthorizedClientError('no page for it')
    const factors = await checkFactors(answers, { credential, caller, services, waits })
    if (waits) return new Accepted({ handle: await approvals.ask(transaction, factors) })
    return activations.grantExplicitly(transaction, factors)
  },
})

/**
 * A seal may ask for no more than its application's own token. A person's token proves no factor: where
 * the application has none to bring, its owner is asked (CSC API v2, 8.3; `implicit` in v1).
 */
function isDecidedElsewhere(
  answers: readonly Answer[],
  { authObjects }: Credential,
  { scope }: AccessToken,
): boolean {
  if (authObjects.length === 0) return scope !== 'client'
  return answers.some(({ object }) => object.type === 'PasswordOOB')
}

function requested(input: Input, credential: Credential, caller: AccessToken) {
  const { numSignatures, hashAlgorithmOID, description, clientData } = input
  if (numSignatures < 1) throw new RefusedRequestError('Invalid value for parameter numSignatures')
  const digests = decodeHashes(input.hashes ?? [])
  if (credential.SCAL === '2' && digests.length === 0) {
    throw new MissingParameterError('hashes', 'array')
  }
  return {
    ...{ clientId: caller.clientId, credential, numSignatures },
    hashAlgorithm: hashAlgorithmOID ? hashAlgorithmByOid(hashAlgorithmOID) : null,
    items: digests.map((digest) => ({ digest, label: null })),
    description: description ?? null,
    clientData: clientData ?? null,
    grantId: caller.grantId,
  }
}

/**
 * Which factor was wrong, missing or too much is never told.
 * @throws {InvalidAuthenticationDataError} @throws {CredentialLockedError}
 */
async function checkFactors(
  answers: readonly Answer[],
  request: {
    readonly credential: Credential
    readonly caller: AccessToken
    readonly services: CscServices
    /** Whether its owner still has to agree: then what is right here is not all, and forgives no guess. */
    readonly waits: boolean
  },
): Promise<readonly string[]> {
  const { credential, caller, services, waits } = request
  const given = answers.flatMap(({ factor }) => factor ?? [])
  const suffices = compileAuthExpression(credential.authExpression, credential.authObjects)
  const ids = new Set(answers.map(({ object }) => object.id))
  if (waits && given.length === 0 && suffices(ids)) {
    services.credentials.rejectLocked(credential)
    return []
  }
  const { clientId } = caller
  const enough = () => suffices(ids)
  const more = { moreToCome: waits }
  const checked = await services.factors.check(credential, clientId, given, enough, more)
  if (checked.outcome === 'accepted') return checked.factors
  if (checked.outcome === 'locked') throw new CredentialLockedError('locked')
  throw new InvalidAuthenticationDataError(checked.outcome, atFault(checked, given, credential))
}

/** What was wrong, else what was not given at all: v2 keeps it to itself, v1 tells. */
function atFault(
  checked: FactorOutcome,
  given: readonly GivenFactor[],
  { authObjects }: Credential,
): readonly string[] {
  if (checked.outcome === 'wrong' && checked.wrong.length > 0) return checked.wrong
  if (checked.outcome === 'used-code') return given.map(({ factor }) => factor)
  const known = new Set(given.map(({ factor }) => factor))
  return authObjects.flatMap(({ factor }) => factor ?? []).filter((factor) => !known.has(factor))
}

/** What an application answered to an object; nothing to those that are answered elsewhere. */
interface Answer {
  readonly object: AuthObject
  readonly factor: GivenFactor | null
}

function readAnswers(authData: NonNullable<Input['authData']>, credential: Credential): Answer[] {
  if (new Set(authData.map(({ id }) => id)).size < authData.length) {
    throw new InvalidAuthenticationDataError('an object twice')
  }
  return authData.map(({ id, value }) => {
    const object = credential.authObjects.find((each) => each.id === id)
    if (!object) throw new InvalidAuthenticationDataError('unknown object')
    if (object.type === 'PasswordOOB') {
      if (value !== undefined) throw new InvalidAuthenticationDataError('a value out of band')
      return { object, factor: null }
    }
    if (value === undefined || !FORMATS[object.format].test(value)) {
      throw new InvalidAuthenticationDataError('wrong format', [object.factor])
    }
    return { object, factor: { factor: object.factor, value } }
  })
}
