import { isDeepStrictEqual } from 'node:util'
import { Type } from '@sinclair/typebox'
import { CredentialCreationRequest } from '../../credentials/management-request.js'
import { ExpiredTokenError, InvalidParameterError } from '../../errors.js'
import { Created } from '../../http/endpoint.js'
import { inWords, invalid } from '../../http/refusals.js'
import { CredentialInfo, describeCredential } from '../credential-info.js'
import { Certificates, ClientData, Flag } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

/**
 * Makes a credential for the person who agreed to one: a key in the token, and a certificate in their
 * name as it is on record (CSC API v2.2, 11.4). The token is good for one.
 */
export const create = defineCscEndpoint({
  path: '/credentials/create',
  summary: 'Make a credential for the signer who agreed to it',
  scopes: ['credential-creation'],
  isOn: ({ config }) => config.newCredentials.allowed,
  request: Type.Object({
    credentialCreationRequest: CredentialCreationRequest,
    credentialInfo: Flag('Whether to describe it in the answer, which is empty otherwise.'),
    certificates: Certificates,
    certInfo: Flag('Whether to read the certificate out.'),
    authInfo: Flag('Whether to tell how it is authorised.'),
    clientData: ClientData,
  }),
  response: CredentialInfo,
  created: true,
  refuses: [
    ...invalid('credentialCreationRequest'),
    ...inWords(
      'The signer has the highest number of credentials already',
      'The signer has no second authentication factor',
    ),
    'hsm-unavailable',
    'certificate-unavailable',
    'too-many-requests',
  ],

  async handle(input, caller, { managedCredentials, tokens, now }) {
    const { management } = caller
    const { credentialCreationRequest: request } = input
    const agreed = management?.act === 'creation' ? management.request : undefined
    if (agreed === undefined || (agreed !== null && !isDeepStrictEqual(agreed, request))) {
      throw new InvalidParameterError('credentialCreationRequest')
    }
    await managedCredentials.rejectUnfitFor(request, caller.userId)
    if (!(await tokens.spendManagement(caller))) throw new ExpiredTokenError('used')
    await managedCredentials.demandQuota(caller)
    const credential = await managedCredentials.create(request, caller.userId)
    if (!input.credentialInfo) return new Created(null)
    return new Created(describeCredential(credential, input, now()))
  },
})
