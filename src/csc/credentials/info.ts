import { Type } from '@sinclair/typebox'
import { InvalidParameterError } from '../../errors.js'
import { CredentialInfo, describeCredential } from '../credential-info.js'
import { Certificates, ClientData, Flag, Lang } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

/** One credential: its key, certificate and how it is authorised (CSC API v2, 11.5). */
export const credentialInfo = defineCscEndpoint({
  path: '/credentials/info',
  scopes: ['service', 'credential', 'client'],
  request: Type.Object({
    credentialID: Type.String(),
    certificates: Certificates,
    certInfo: Flag('Return the names and dates of the certificate.'),
    authInfo: Flag('Return how the credential is authorised.'),
    lang: Lang,
    clientData: ClientData,
  }),
  response: CredentialInfo,

  async handle(input, caller, { credentials, activations, now }) {
    const credential = await credentials.find(input.credentialID)
    const isTheirs =
      caller.scope === 'client'
        ? credential?.ownerClientId === caller.clientId
        : credential?.userId === caller.userId
    if (!credential || !isTheirs) throw new InvalidParameterError('credentialID')
    // A credential token opens its own credential only.
    if (caller.authorisationId !== null) {
      const opened = await activations.credentialOf(caller.authorisationId)
      if (opened !== credential.id) throw new InvalidParameterError('credentialID')
    }
    return describeCredential(credential, input, now())
  },
})
