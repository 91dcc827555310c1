import { Type } from '@sinclair/typebox'
import {
  CredentialLockedError,
  InvalidParameterError,
  RefusedRequestError,
} from '../../../errors.js'
import { inWords } from '../../../http/refusals.js'
import { getChallenge as v2 } from '../../credentials/getChallenge.js'
import { credentialInfo } from '../../credentials/info.js'
import { ClientData, CredentialID } from '../../parameters.js'
import { defineCscEndpoint } from '../../services.js'
import { isOnline, v1Authorisation } from '../factors.js'

const OTP_LOCKED = 'OTP locked'

/** Sends the signer a one-time code; what v2 does in `credentials/getChallenge` (v1, 11.8). */
export const sendOTP = defineCscEndpoint({
  path: '/credentials/sendOTP',
  summary: v2.summary,
  scopes: v2.scopes,
  request: Type.Object({ credentialID: CredentialID, clientData: ClientData }),
  response: Type.Null(),
  refuses: [...v2.refuses, ...inWords(OTP_LOCKED)],

  async handle({ credentialID, ...rest }, caller, services, headers) {
    const asked = { credentialID, certificates: 'none', authInfo: true }
    const { auth } = await credentialInfo.invoke(asked, caller, services, headers)
    const code = v1Authorisation(auth)?.otp?.object
    if (!code || !isOnline(code)) throw new InvalidParameterError('credentialID')
    const body = { ...rest, credentialID, authObjectID: code.id }
    try {
      return await v2.invoke(body, caller, services, headers)
    } catch (error) {
      if (error instanceof CredentialLockedError) throw new RefusedRequestError(OTP_LOCKED)
      throw error
    }
  },
})
