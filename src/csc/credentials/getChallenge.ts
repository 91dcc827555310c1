import { Type } from '@sinclair/typebox'
import { InvalidParameterError, RefusedRequestError } from '../../errors.js'
import { NO_CONTENT } from '../../http/endpoint.js'
import { ClientData } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

/** Sends the signer the code for one authentication object (CSC API v2, 11.8); 204, as it goes out of band. */
export const getChallenge = defineCscEndpoint({
  path: '/credentials/getChallenge',
  scopes: ['service'],
  request: Type.Object({
    credentialID: Type.String({ complaint: 'Invalid parameter credentialID' }),
    authObjectID: Type.String({ complaint: 'Invalid parameter authObjectID' }),
    clientData: ClientData,
  }),
  response: Type.Null(),

  async handle(input, caller, { credentials, accounts, clients, sentCodes }) {
    const credential = await credentials.find(input.credentialID)
    if (credential?.userId !== caller.userId) throw new InvalidParameterError('credentialID')
    const object = credential.authObjects.find(({ id }) => id === input.authObjectID)
    const user = await accounts.find(caller.userId)
    if (object?.type !== 'ChallengeResponse' || !user?.email) {
      throw new InvalidParameterError('authObjectID')
    }
    credentials.rejectUnusable(credential)
    const { clientId } = caller
    const client = await clients.find(clientId)
    const purpose = { credentialId: credential.id, clientId, factor: object.factor }
    const recipient = { email: user.email, displayName: user.displayName }
    if (!(await sentCodes.send(purpose, recipient, client?.name ?? clientId))) {
      throw new RefusedRequestError('A code was sent a moment ago; try again in half a minute')
    }
    return NO_CONTENT
  },
})
