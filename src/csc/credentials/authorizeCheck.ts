import { Type } from '@sinclair/typebox'
import { InvalidAuthenticationDataError, InvalidParameterError } from '../../errors.js'
import { Accepted } from '../../http/endpoint.js'
import { invalid } from '../../http/refusals.js'
import { ApprovalHandle, IssuedSad, UNUSABLE_CREDENTIAL } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

/** What the owner of a credential decided on another device; the SAD is given out once (CSC API v2, 11.7). */
export const authorizeCheck = defineCscEndpoint({
  path: '/credentials/authorizeCheck',
  summary: 'Ask whether the signer has agreed on another device',
  scopes: ['service', 'client'],
  request: Type.Object({
    handle: Type.String({
      complaint: 'Invalid parameter handle',
      description: 'From `credentials/authorize`.',
    }),
  }),
  response: IssuedSad,
  accepted: ApprovalHandle,
  refuses: [
    ...invalid('handle'),
    ...UNUSABLE_CREDENTIAL,
    'invalid-authentication-data',
    'credential-locked',
  ],

  async handle({ handle }, caller, { approvals, credentials }) {
    const found = await approvals.check(handle, async ({ clientId, credentialId }) => {
      return (
        clientId === caller.clientId && (await credentials.findFor(caller, credentialId)) !== null
      )
    })
    if (found.outcome === 'approved') return found.issued
    if (found.outcome === 'rejected') throw new InvalidAuthenticationDataError('rejected')
    const credential = await credentials.find(found.transaction.credentialId)
    if (!credential) throw new InvalidParameterError('handle')
    credentials.rejectUnusable(credential)
    credentials.rejectLocked(credential)
    return new Accepted({ handle })
  },
})
