import { Type } from '@sinclair/typebox'
import { InvalidParameterError } from '../../errors.js'
import { CredentialInfo, describeCredential } from '../credential-info.js'
import {
  Certificates,
  ClientData,
  CredentialID,
  Flag,
  FOREIGN_CREDENTIAL,
  Lang,
} from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

/** One credential: its key, certificate and how it is authorised (CSC API v2, 11.5). */
export const credentialInfo = defineCscEndpoint({
  path: '/credentials/info',
  summary: 'One credential: its key, certificate and how it is authorised',
  scopes: ['service', 'credential', 'client'],
  request: Type.Object({
    credentialID: CredentialID,
    certificates: Certificates,
    certInfo: Flag('Return the names and dates of the certificate.'),
    authInfo: Flag('Return how the credential is authorised.'),
    lang: Lang,
    clientData: ClientData,
  }),
  response: CredentialInfo,
  refuses: FOREIGN_CREDENTIAL,

  async handle(input, caller, { credentials, activations, now }) {
    const credential = await credentials.findFor(caller, input.credentialID)
    if (!credential) throw new InvalidParameterError('credentialID')
    // A credential token opens its own credential only.
    if (caller.authorisationId !== null) {
      const opened = await activations.credentialOf(caller.authorisationId)
      if (opened !== credential.id) throw new InvalidParameterError('credentialID')
    }
    return describeCredential(credential, input, now())
  },
})
