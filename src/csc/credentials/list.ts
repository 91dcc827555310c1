import { Type } from '@sinclair/typebox'
import { RefusedRequestError } from '../../errors.js'
import { CredentialInfo, describeCredential } from '../credential-info.js'
import { Certificates, ClientData, Flag, Lang } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

/** The credentials of the signed-in person (CSC API v2, 11.4). */
export const list = defineCscEndpoint({
  path: '/credentials/list',
  scopes: ['service'],
  request: Type.Object({
    userID: Type.Optional(Type.String({ complaint: 'Invalid parameter userID' })),
    credentialInfo: Flag('Return credentialInfos too.'),
    certificates: Certificates,
    certInfo: Flag('Return the names and dates of the certificate.'),
    authInfo: Flag('Return how the credential is authorised.'),
    onlyValid: Flag('Leave out credentials that cannot sign now.'),
    lang: Lang,
    clientData: ClientData,
  }),
  response: Type.Object({
    credentialIDs: Type.Array(Type.String()),
    credentialInfos: Type.Optional(Type.Array(CredentialInfo)),
    onlyValid: Type.Optional(Type.Boolean()),
  }),

  async handle(input, caller, { credentials, now }) {
    if (input.userID) throw new RefusedRequestError('userID parameter MUST be null')
    const all = await credentials.list(caller.userId)
    const listed = input.onlyValid ? all.filter((each) => credentials.isUsable(each)) : all
    return {
      credentialIDs: listed.map(({ id }) => id),
      ...(input.credentialInfo
        ? { credentialInfos: listed.map((each) => describeCredential(each, input, now())) }
        : {}),
      ...(input.onlyValid ? { onlyValid: true } : {}),
    }
  },
})
