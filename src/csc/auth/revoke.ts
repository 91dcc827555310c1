import { Type } from '@sinclair/typebox'
import { RefusedRequestError, UnusableSadError } from '../../errors.js'
import { NO_CONTENT } from '../../http/endpoint.js'
import { ClientData } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

const UNKNOWN_TOKEN = 'Invalid string parameter token'

/** Ends a token or a SAD of the same application and person (CSC API v2, 11.3). */
export const revoke = defineCscEndpoint({
  path: '/auth/revoke',
  scopes: ['service', 'credential'],
  request: Type.Object({
    token: Type.String(),
    token_type_hint: Type.Optional(
      Type.Union([Type.Literal('access_token'), Type.Literal('refresh_token')], {
        complaint: 'Invalid string parameter token_type_hint',
      }),
    ),
    clientData: ClientData,
  }),
  response: Type.Null(),

  async handle({ token, token_type_hint }, caller, { activations, revocation }) {
    const hint = token_type_hint ?? null
    if (await revocation.revoke(token, hint, caller)) return NO_CONTENT
    const sad = hint === 'refresh_token' ? null : await activations.findSad(token)
    if (!sad) throw new RefusedRequestError(UNKNOWN_TOKEN)
    try {
      await activations.find(sad.authorisationId, caller)
    } catch (error) {
      if (error instanceof UnusableSadError) throw new RefusedRequestError(UNKNOWN_TOKEN)
      throw error
    }
    await activations.revoke(sad.authorisationId, 'auth/revoke')
    return NO_CONTENT
  },
})
