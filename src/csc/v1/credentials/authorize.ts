import { Type } from '@sinclair/typebox'
import {
  CredentialLockedError,
  InvalidAuthenticationDataError,
  InvalidParameterError,
  RefusedRequestError,
} from '../../../errors.js'
import { Accepted } from '../../../http/endpoint.js'
import { inWords } from '../../../http/refusals.js'
import { authorize as v2 } from '../../credentials/authorize.js'
import { credentialInfo } from '../../credentials/info.js'
import { Digest } from '../../parameters.js'
import { defineCscEndpoint } from '../../services.js'
import { v1Authorisation, type V1Authorisation } from '../factors.js'
import { asHashes } from '../hashes.js'
import { decided, patience } from './decision.js'

const { credentialID, numSignatures, description, clientData } = v2.request.properties
const PIN_LOCKED = 'PIN locked'
const OTP_LOCKED = 'OTP locked'

/** `credentials/authorize` with `hash`, `PIN` and `OTP` (v1, 11.6). */
export const authorize = defineCscEndpoint({
  path: v2.path,
  summary: v2.summary,
  scopes: v2.scopes,
  request: Type.Object({
    ...{ credentialID, numSignatures },
    hash: Type.Optional(
      Type.Array(Digest, { description: 'Digests to authorise; required at SCAL 2.' }),
    ),
    PIN: Type.Optional(Type.String({ description: 'As the signer typed it.' })),
    OTP: Type.Optional(Type.String({ description: 'As the signer typed it.' })),
    ...{ description, clientData },
  }),
  response: v2.response,
  refuses: [...v2.refuses, ...inWords(PIN_LOCKED, OTP_LOCKED)],

  async handle(input, caller, services, headers) {
    const { credentialID, hash, PIN, OTP, ...rest } = input
    const until = patience(services.now())
    const asked = { credentialID, certificates: 'none', authInfo: true }
    const { auth } = await credentialInfo.invoke(asked, caller, services, headers)
    const authorisation = v1Authorisation(auth)
    if (!authorisation) throw new InvalidParameterError('credentialID')
    const authData = answers(authorisation, PIN, OTP)
    const body = { ...rest, credentialID, ...asHashes(hash), authData }
    try {
      const answer = await v2.invoke(body, caller, services, headers)
      return answer instanceof Accepted ? decided(answer, until, caller, services, headers) : answer
    } catch (error) {
      // One counter guards all factors of a credential: v1 has a sentence for each.
      const sentence = authorisation.pin ? PIN_LOCKED : OTP_LOCKED
      if (error instanceof CredentialLockedError) throw new RefusedRequestError(sentence)
      throw error
    }
  },
})

function answers(
  { authMode, pin, otp, outOfBand }: V1Authorisation,
  PIN: string | undefined,
  OTP: string | undefined,
) {
  // No factor is wrong where none counts: v2 says that it is approved elsewhere.
  if (authMode === 'oauth2code') return []
  return [
    ...outOfBand.map(({ id }) => ({ id })),
    ...answer(pin, PIN, 'pin'),
    ...answer(otp, OTP, 'otp'),
  ]
}

/** @throws {InvalidAuthenticationDataError} for a value the credential has no use for */
function answer(factor: V1Authorisation['pin'], value: string | undefined, name: string) {
  if (!value) return []
  if (!factor) throw new InvalidAuthenticationDataError('no such factor', [name])
  return [{ id: factor.object.id, value }]
}
