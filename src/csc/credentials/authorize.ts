import { randomUUID } from 'node:crypto'
import { Type, type Static } from '@sinclair/typebox'
import { compileAuthExpression } from '../../credentials/auth-object.js'
import type { Credential } from '../../credentials/credential.js'
import {
  CredentialLockedError,
  InvalidAuthenticationDataError,
  InvalidParameterError,
  MissingParameterError,
  RefusedRequestError,
  UnauthorizedClientError,
} from '../../errors.js'
import type { AccessToken } from '../../http/bearer.js'
import type { GivenFactor } from '../../identity/signing-factors.js'
import { hashAlgorithmByOid } from '../../keys/algorithms.js'
import { decodeHashes } from '../hashes.js'
import { ClientData } from '../parameters.js'
import { defineCscEndpoint, type CscServices } from '../services.js'

const FORMATS = { A: /^[A-Za-z0-9]{1,128}$/, N: /^[0-9]{1,64}$/ } as const

/** An answer to one authentication object; one with a side channel has no value. */
const AuthAnswer = Type.Object({ id: Type.String(), value: Type.Optional(Type.String()) })

const Request = Type.Object({
  credentialID: Type.String(),
  numSignatures: Type.Integer(),
  hashes: Type.Optional(
    Type.Array(Type.Unknown(), { description: 'Base64 digests; required at SCAL 2.' }),
  ),
  hashAlgorithmOID: Type.Optional(Type.String()),
  authData: Type.Optional(
    Type.Array(AuthAnswer, { description: 'Answers to the auth.objects of the credential.' }),
  ),
  description: Type.Optional(
    Type.String({ maxLength: 500, complaint: 'Invalid parameter description' }),
  ),
  clientData: ClientData,
})
type Input = Static<typeof Request>

/** Authorises an explicit credential with factors the application collected (CSC API v2, 11.6). */
export const authorize = defineCscEndpoint({
  path: '/credentials/authorize',
  scopes: ['service'],
  request: Request,
  response: Type.Object({ SAD: Type.String(), expiresIn: Type.Integer() }),

  async handle(input, caller, services) {
    const { credentials, transactions, activations } = services
    const credential = await credentials.find(input.credentialID)
    if (credential?.userId !== caller.userId) throw new InvalidParameterError('credentialID')
    credentials.rejectUnusable(credential)
    if (credential.authMode !== 'explicit') throw new UnauthorizedClientError('oauth2code')
    const transaction = transactions.prepare(randomUUID(), requested(input, credential, caller))
    const factors = await checkFactors(input, credential, caller, services)
    return activations.grantExplicitly(transaction, factors)
  },
})

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
  }
}

/**
 * Which factor was wrong, missing or too much is never told.
 * @throws {InvalidAuthenticationDataError} @throws {CredentialLockedError}
 */
async function checkFactors(
  { authData = [] }: Input,
  credential: Credential,
  { clientId }: AccessToken,
  { factors }: CscServices,
): Promise<readonly string[]> {
  const given = readAnswers(authData, credential)
  const suffices = compileAuthExpression(credential.authExpression, credential.authObjects)
  const ids = new Set(authData.map(({ id }) => id))
  const checked = await factors.check(credential, clientId, given, () => suffices(ids))
  if (checked.outcome === 'accepted') return checked.factors
  if (checked.outcome === 'locked') throw new CredentialLockedError('locked')
  throw new InvalidAuthenticationDataError(checked.outcome)
}

function readAnswers(
  authData: NonNullable<Input['authData']>,
  credential: Credential,
): GivenFactor[] {
  if (new Set(authData.map(({ id }) => id)).size < authData.length) {
    throw new InvalidAuthenticationDataError('an object twice')
  }
  return authData.map(({ id, value }) => {
    const object = credential.authObjects.find((each) => each.id === id)
    if (!object || value === undefined || !FORMATS[object.format].test(value)) {
      throw new InvalidAuthenticationDataError('unknown object or wrong format')
    }
    return { factor: object.factor, value }
  })
}
