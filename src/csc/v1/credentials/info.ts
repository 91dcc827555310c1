import { InvalidParameterError } from '../../../errors.js'
import { credentialInfo as v2 } from '../../credentials/info.js'
import { defineCscEndpoint } from '../../services.js'
import { asV1Credential, V1CredentialInfo } from '../credential-info.js'
import { v1Authorisation } from '../factors.js'

/** `credentials/info` with PIN and OTP in the place of authentication objects (v1, 11.5). */
export const credentialInfo = defineCscEndpoint({
  path: v2.path,
  summary: v2.summary,
  scopes: v2.scopes,
  request: v2.request,
  response: V1CredentialInfo,
  refuses: v2.refuses,

  async handle(input, caller, services, headers) {
    const info = await v2.invoke({ ...input, authInfo: true }, caller, services, headers)
    const authorisation = v1Authorisation(info.auth)
    if (!authorisation) throw new InvalidParameterError('credentialID')
    return asV1Credential(info, authorisation, input.authInfo ?? false)
  },
})
