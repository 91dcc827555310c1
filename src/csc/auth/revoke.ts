import { Type } from '@sinclair/typebox'
import { signerOf } from '../../activation/activations.js'
import { RefusedRequestError, UnusableSadError } from '../../errors.js'
import { NO_CONTENT } from '../../http/endpoint.js'
import { inWords } from '../../http/refusals.js'
import { ClientData } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

const UNKNOWN_TOKEN = 'Invalid string parameter token'

/** Ends a token or a SAD of the same application and person (CSC API v2, 11.3). */
export const revoke = defineCscEndpoint({
  path: '/auth/revoke',
  summary: 'End a token or a SAD',
  scopes: ['service', 'credential', 'client'],
  request: Type.Object({
    token: Type.String({ description: 'Access token, refresh token or SAD of the same person.' }),
    token_type_hint: Type.Optional(
      Type.Union([Type.Literal('access_token'), Type.Literal('refresh_token')], {
        complaint: 'Invalid string parameter token_type_hint',
        description: 'What the token is; looked for among all when absent.',
      }),
    ),
    clientData: ClientData,
  }),
  response: Type.Null(),
  refuses: inWords(UNKNOWN_TOKEN),

  async handle({ token, token_type_hint }, caller, { activations, credentials, revocation }) {
    const hint = token_type_hint ?? null
    if (await revocation.revoke(token, hint, caller)) return NO_CONTENT
    const sad = hint === 'refresh_token' ? null : await activations.findSad(token)
    const credentialId = sad && (await activations.credentialOf(sad.authorisationId))
    const credential = credentialId && (await credentials.findFor(caller, credentialId))
    if (!sad || !credential) throw new RefusedRequestError(UNKNOWN_TOKEN)
    try {
      await activations.find(sad.authorisationId, signerOf(credential, caller))
    } catch (error) {
      if (error instanceof UnusableSadError) throw new RefusedRequestError(UNKNOWN_TOKEN)
      throw error
    }
    await activations.revoke(sad.authorisationId, 'auth/revoke')
    return NO_CONTENT
  },
})
