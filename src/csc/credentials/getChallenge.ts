import { Type } from '@sinclair/typebox'
import type { Factor } from '../../credentials/auth-object.js'
import { InvalidParameterError, RefusedRequestError } from '../../errors.js'
import { NO_CONTENT } from '../../http/endpoint.js'
import type { SentFactor } from '../../identity/sent-codes.js'
import { inWords, invalid, VARYING } from '../../http/refusals.js'
import { ClientData, FOREIGN_CREDENTIAL, UNUSABLE_CREDENTIAL } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

type Seconds = number | typeof VARYING
const sentBefore = (seconds: Seconds) =>
  `A code was sent a moment ago; try again in ${seconds} seconds`
const sentTooOften = (seconds: Seconds) =>
  `Too many codes were sent; try again in ${seconds} seconds`

/** Sends the signer the code for one authentication object (CSC API v2, 11.8); 204, as it goes out of band. */
export const getChallenge = defineCscEndpoint({
  path: '/credentials/getChallenge',
  summary: 'Send the signer a code',
  scopes: ['service', 'client'],
  request: Type.Object({
    credentialID: Type.String({
      complaint: 'Invalid parameter credentialID',
      description: 'The credential, as `credentials/list` names it.',
    }),
    authObjectID: Type.String({
      complaint: 'Invalid parameter authObjectID',
      description: '`id` of an object of type ChallengeResponse in `auth.objects`.',
    }),
    clientData: ClientData,
  }),
  response: Type.Null(),
  refuses: [
    ...FOREIGN_CREDENTIAL,
    ...invalid('authObjectID'),
    ...UNUSABLE_CREDENTIAL,
    ...inWords(sentBefore(VARYING), sentTooOften(VARYING)),
    'credential-locked',
    'message-not-sent',
  ],

  async handle(input, caller, { credentials, accounts, clients, sentCodes, config, now }) {
    const credential = await credentials.findFor(caller, input.credentialID)
    if (!credential) throw new InvalidParameterError('credentialID')
    const object = credential.authObjects.find(({ id }) => id === input.authObjectID)
    const user = await accounts.find(credential.userId)
    if (!object?.factor || !isSent(object.factor) || !user)
      throw new InvalidParameterError('authObjectID')
    credentials.rejectUnusable(credential)
    credentials.rejectLocked(credential)
    const { clientId } = caller
    const client = await clients.find(clientId)
    // What is to be signed is not said before credentials/authorize: there is nothing more to bind to.
    const purpose = { credentialId: credential.id, clientId, factor: object.factor, binding: '' }
    const about = { clientName: client?.name ?? clientId, numSignatures: null }
    const lang = user.lang ?? config.service.lang
    const sent = await sentCodes.send(purpose, user, { ...about, lang })
    switch (sent.outcome) {
      case 'sent':
        return NO_CONTENT
      case 'no-address':
        throw new InvalidParameterError('authObjectID')
      case 'too-early':
        throw new RefusedRequestError(sentBefore(secondsUntil(sent.until, now())))
      case 'too-many':
        throw new RefusedRequestError(sentTooOften(secondsUntil(sent.until, now())))
    }
  },
})

function isSent(factor: Factor): factor is SentFactor {
  return factor === 'email-otp' || factor === 'sms-otp'
}

function secondsUntil(until: Date, now: Date): number {
  return Math.max(1, Math.ceil((until.getTime() - now.getTime()) / 1000))
}
